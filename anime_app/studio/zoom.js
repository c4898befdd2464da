// Panes that zoom together: every picture inside `element` follows three variables on it. Events are caught on
// `element` itself, which stays when what is inside is drawn anew.
const zoomed = (() => {
	const MOST = 12;
	let scale = 1, x = 0, y = 0; // x, y: where the upper left corner lies, in widths and heights of a pane
	const held = new Map();
	let moved = 0;
	const bound = (value) => Math.min(0, Math.max(1 - scale, value));
	const show = () => {
		x = bound(x);
		y = bound(y);
		element.style.setProperty("--scale", scale);
		element.style.setProperty("--x", `${100 * x}%`);
		element.style.setProperty("--y", `${100 * y}%`);
		element.classList.toggle("zoomed", scale > 1);
		element.classList.toggle("close", scale > 3);
	};
	const pane = (event) => event.target.closest?.(".pane .view");
	const at = (event, view) => {
		const box = view.getBoundingClientRect();
		return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
	};
	const zoom = (factor, u = 0.5, v = 0.5) => {
		const wanted = Math.min(MOST, Math.max(1, scale * factor));
		x = u - ((u - x) / scale) * wanted;
		y = v - ((v - y) / scale) * wanted;
		scale = wanted;
		show();
	};
	const reset = () => {
		scale = 1;
		show();
	};
	element.addEventListener("wheel", (event) => {
		const view = pane(event);
		if (!view || !(event.ctrlKey || event.metaKey || scale > 1)) return; // else the page scrolls
		event.preventDefault();
		zoom(Math.exp(-event.deltaY / 300), ...at(event, view));
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
			zoom(after / before, ((event.clientX + other[0]) / 2 - box.left) / box.width, ((event.clientY + other[1]) / 2 - box.top) / box.height);
			moved += 99;
		}
		const share = other ? 0.5 : 1;
		x += (share * (event.clientX - px)) / box.width;
		y += (share * (event.clientY - py)) / box.height;
		moved += Math.abs(event.clientX - px) + Math.abs(event.clientY - py);
		held.set(event.pointerId, [event.clientX, event.clientY, view]);
		if (scale > 1) show();
	});
	for (const end of ["pointerup", "pointercancel"])
		window.addEventListener(end, (event) => {
			const last = held.get(event.pointerId);
			held.delete(event.pointerId);
			if (!last || end === "pointercancel" || moved > 6) return;
			if (scale > 1) reset();
			else zoom(3, ...at(event, last[2]));
		});
	element.addEventListener("dragstart", (event) => event.preventDefault());
	element.addEventListener("keydown", (event) => {
		if (!event.target.closest("[data-panes]")) return;
		const step = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
		if (event.key === "+" || event.key === "=") zoom(1.5);
		else if (event.key === "-") zoom(1 / 1.5);
		else if (event.key === "0" || event.key === "Escape") reset();
		else if (step && scale > 1) {
			x += step[0];
			y += step[1];
			show();
		} else return;
		event.preventDefault();
	});
	element.addEventListener("click", (event) => {
		const button = event.target.closest("[data-zoom]");
		if (button) button.dataset.zoom === "0" ? reset() : zoom(Number(button.dataset.zoom));
	});
	show();
	return { reset };
})();
