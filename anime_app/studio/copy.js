// Copies the whole address of a rater's link.
element.addEventListener("click", async (event) => {
	const button = event.target.closest("[data-copy]");
	if (!button) return;
	await navigator.clipboard.writeText(new URL(button.dataset.copy, location.origin + location.pathname).href);
	for (const [index, words] of [...button.children].entries()) words.hidden = index === 0;
});
