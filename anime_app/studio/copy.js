// Links of raters: the whole address is shown and copied, and it is said where nobody else could open it.
const HERE = ["127.0.0.1", "localhost", "[::1]", "::1"];
const whole = (query) => new URL(query, location.origin + location.pathname).href;
const tell = () => {
	for (const link of element.querySelectorAll("a[href^='?panel=']")) if (link.textContent !== whole(link.getAttribute("href"))) link.textContent = whole(link.getAttribute("href"));
	for (const line of element.querySelectorAll(".local")) line.hidden = !HERE.includes(location.hostname);
};
new MutationObserver(tell).observe(element, { childList: true, subtree: true });
tell();
element.addEventListener("click", async (event) => {
	const button = event.target.closest("[data-copy]");
	if (!button) return;
	await navigator.clipboard.writeText(new URL(button.dataset.copy, location.origin + location.pathname).href);
	for (const [index, words] of [...button.children].entries()) words.hidden = index === 0;
});
