// Everything with a `data-key` is a button: a click, Enter or the space bar tells the server.
const press = (event) => {
	const button = event.target.closest?.("[data-key]");
	if (!button || !element.contains(button)) return;
	if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
	event.preventDefault();
	trigger("select", { key: button.dataset.key });
};
element.addEventListener("click", press);
element.addEventListener("keydown", press);
