// Panes that zoom together: every picture inside `element` follows three variables on it. Events are caught on
// `element` itself, which stays when what is inside is drawn anew.
const zoomed = (() => {
	const held = new Map();
	let moved = 0;
	const look = closer(element, (scale) => {
		element.classList.toggle("zoomed", scale > 1);
		element.classList.toggle("close", scale > 3);
	});
	const pane = (event) => event.target.closest?.(".pane .view");
	element.addEventListener("wheel", (event) => {
		const view = pane(event);
		if (!view || !(event.ctrlKey || event.metaKey || look.scale > 1)) return; // else the page scrolls
		event.preventDefault();
		look.zoom(Math.exp(-event.deltaY / 300), ...within(event, view));
	}, { passive: false });
	element.addEventListener("pointerdown", (event) => {
		const view = pane(event);
		if (!view || event.button) return;
		if (!held.size) moved = 0;
		held.set(event.pointerId, [event.clientX, event.clientY, view]);
	});
	window.addEventListener("pointermove", (event) => {
		const last = held.get(event.pointerId);
		if (!last) return;
		const [px, py, view] = last;
		const box = view.getBoundingClientRect();
		const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
		if (other) {
			const before = Math.hypot(px - other[0], py - other[1]) || 1;
			const after = Math.hypot(event.clientX - other[0], event.clientY - other[1]);
			look.zoom(after / before, ((event.clientX + other[0]) / 2 - box.left) / box.width, ((event.clientY + other[1]) / 2 - box.top) / box.height);
			moved += 99;
		}
		const share = other ? 0.5 : 1;
		look.move((share * (event.clientX - px)) / box.width, (share * (event.clientY - py)) / box.height);
		moved += Math.abs(event.clientX - px) + Math.abs(event.clientY - py);
		held.set(event.pointerId, [event.clientX, event.clientY, view]);
	});
	for (const end of ["pointerup", "pointercancel"])
		window.addEventListener(end, (event) => {
			const last = held.get(event.pointerId);
			held.delete(event.pointerId);
			if (!last || end === "pointercancel" || moved > 6) return;
			if (look.scale > 1) look.whole();
			else look.zoom(3, ...within(event, last[2]));
		});
	element.addEventListener("dragstart", (event) => event.preventDefault());
	element.addEventListener("keydown", (event) => {
		if (!event.target.closest("[data-panes]")) return;
		const step = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
		if (step && look.scale > 1) look.move(...step);
		else if (!look.key(event)) return;
		event.preventDefault();
	});
	element.addEventListener("click", (event) => {
		const button = event.target.closest("[data-zoom]");
		if (button) button.dataset.zoom === "0" ? look.whole() : look.zoom(Number(button.dataset.zoom));
	});
	look.show();
	return { reset: look.whole };
})();
