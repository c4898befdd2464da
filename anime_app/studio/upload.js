// Files over the limit are named here, before Gradio's page sees them and says so in its own words; the others go on.
// The server refuses them by the same limit, whatever the page does.
(() => {
	const { limit, tooLarge } = studio.settings;
	const say = (files) => {
		document.getElementById("too-large")?.remove();
		if (!files.length) return;
		const note = Object.assign(document.createElement("div"), { id: "too-large", role: "alert" });
		for (const [language, text, comma] of [["en", tooLarge[0], ", "], ["zh", tooLarge[1], "、"]]) {
			const span = Object.assign(document.createElement("span"), { lang: language });
			span.textContent = text.replace("{name}", () => files.map((file) => file.name).join(comma));
			note.append(span);
		}
		note.addEventListener("click", () => note.remove());
		document.body.append(note);
	};
	// The files that may go on, or null where all may; the others are named.
	const fitting = (files) => {
		const large = files.filter((file) => file.size > limit), rest = new DataTransfer();
		say(large);
		for (const file of files) if (file.size <= limit) rest.items.add(file);
		return large.length ? rest : null;
	};
	// the view Make looks at its photos by itself
	const own = () => document.getElementById("make")?.checkVisibility();
	addEventListener("change", (event) => {
		const input = event.target;
		if ("own" in input.dataset) return;
		const rest = input.type === "file" ? fitting([...input.files]) : null;
		if (!rest) return;
		input.files = rest.files;
		if (!rest.files.length) event.stopImmediatePropagation();
	}, true);
	const passed = new WeakSet();
	addEventListener("drop", (event) => {
		if (passed.has(event) || own()) return;
		const rest = fitting([...(event.dataTransfer?.files ?? [])]);
		if (!rest) return;
		event.preventDefault();
		event.stopImmediatePropagation();
		if (!rest.files.length) return event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
		const again = new DragEvent("drop", { dataTransfer: rest, bubbles: true, cancelable: true });
		passed.add(again);
		event.target.dispatchEvent(again);
	}, true);
})();
