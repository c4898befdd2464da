// The picture: the line between photo and drawing, and looking closer. A range input carries the line, so that keys and
// screen readers work as with any slider; a finger or a mouse on the picture moves the same input, or the picture itself
// once it is enlarged. One finger that goes up or down scrolls the page.
const stage = () => {
	const box = element.querySelector(".compare"), input = box.querySelector(".split");
	const held = new Map();
	let grabbing = false;
	const split = (value) => {
		input.value = value;
		box.style.setProperty("--split", `${input.value}%`);
		input.setAttribute("aria-valuetext", `${input.value} %`);
	};
	const view = closer(box, (scale) => box.classList.toggle("closer", scale > 1));
	box.addEventListener("pointerdown", (event) => {
		if (event.button) return;
		event.preventDefault(); // no text selection, and the input keeps out of the drag
		input.focus({ preventScroll: true, focusVisible: false });
		box.setPointerCapture(event.pointerId);
		const [u, v] = within(event, box);
		held.set(event.pointerId, [u, v]);
		grabbing = view.scale > 1 && Math.abs(u - input.value / 100) > 24 / box.clientWidth;
		if (!grabbing && held.size === 1 && event.pointerType === "mouse") split(100 * u); // a finger may be about to scroll
	});
	box.addEventListener("pointermove", (event) => {
		const before = held.get(event.pointerId);
		if (!before) return;
		const [u, v] = within(event, box);
		const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
		if (other) {
			const wide = ([a, b]) => Math.hypot(a - other[0], b - other[1]) || 0.01;
			view.zoom(wide([u, v]) / wide(before), (u + other[0]) / 2, (v + other[1]) / 2);
			view.move((u - before[0]) / 2, (v - before[1]) / 2);
		} else if (grabbing) view.move(u - before[0], v - before[1]);
		else split(100 * u);
		held.set(event.pointerId, [u, v]);
	});
	for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, (event) => held.delete(event.pointerId));
	box.addEventListener("wheel", (event) => {
		if (!event.ctrlKey && !event.metaKey) return; // else the page scrolls
		event.preventDefault();
		view.zoom(Math.exp(-event.deltaY / 300), ...within(event, box));
	}, { passive: false });
	box.addEventListener("dblclick", (event) => (view.scale > 1 ? view.whole() : view.zoom(3, ...within(event, box))));
	input.addEventListener("input", () => split(input.value));
	input.addEventListener("keydown", (event) => {
		if (view.key(event)) event.preventDefault();
	});
	split(50);
	view.show();
	const images = ["before", "after"].map((name) => box.querySelector(`.${name} img`));
	// Both at once, when both are there: else one would see a half of each picture
	const put = async (before, after, ratio) => {
		const wanted = [before, after].map((url) => new URL(url, document.baseURI).href);
		put.last = wanted.join();
		await Promise.all(wanted.map(async (url) => {
			const image = new Image();
			image.src = url;
			await image.decode().catch(() => {});
		}));
		if (put.last !== wanted.join()) return;
		images.forEach((image, index) => (image.src = wanted[index]));
		box.style.setProperty("--ratio", ratio);
	};
	return { box, put, zoom: view.zoom, whole: view.whole, full: () => (document.fullscreenElement ? document.exitFullscreen() : box.requestFullscreen?.()) };
};
