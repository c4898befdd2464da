// Copies the whole address of a rater's link.
element.addEventListener("click", async (event) => {
	const button = event.target.closest("[data-copy]");
	if (!button) return;
	await navigator.clipboard.writeText(new URL(button.dataset.copy, location.origin + location.pathname).href);
	button.textContent = "copied";
});
