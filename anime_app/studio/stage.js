// The picture: the line between photo and drawing, and looking closer. A range input carries the line, so that keys and
// screen readers work as with any slider; a finger or a mouse on the picture moves the same input, or the picture itself
// once it is enlarged. One finger that goes up or down scrolls the page.
const stage = () => {
	const MOST = 12;
	const box = element.querySelector(".compare"), input = box.querySelector(".split");
	const held = new Map();
	let scale = 1, x = 0, y = 0, grabbing = false;
	const split = (value) => {
		input.value = value;
		box.style.setProperty("--split", `${input.value}%`);
		input.setAttribute("aria-valuetext", `${input.value} %`);
	};
	const show = () => {
		x = Math.min(0, Math.max(1 - scale, x));
		y = Math.min(0, Math.max(1 - scale, y));
		for (const [name, value] of [["--scale", scale], ["--x", `${100 * x}%`], ["--y", `${100 * y}%`]]) box.style.setProperty(name, value);
		box.classList.toggle("closer", scale > 1);
	};
	const zoom = (factor, u = 0.5, v = 0.5) => {
		const wanted = Math.min(MOST, Math.max(1, scale * factor));
		x = u - ((u - x) / scale) * wanted;
		y = v - ((v - y) / scale) * wanted;
		scale = wanted;
		show();
	};
	const whole = () => {
		scale = 1;
		show();
	};
	const at = (event) => {
		const { left, top, width, height } = box.getBoundingClientRect();
		return [(event.clientX - left) / width, (event.clientY - top) / height];
	};
	box.addEventListener("pointerdown", (event) => {
		if (event.button) return;
		event.preventDefault(); // no text selection, and the input keeps out of the drag
		input.focus({ preventScroll: true, focusVisible: false });
		box.setPointerCapture(event.pointerId);
		const [u, v] = at(event);
		held.set(event.pointerId, [u, v]);
		grabbing = scale > 1 && Math.abs(u - input.value / 100) > 24 / box.clientWidth;
		if (!grabbing && held.size === 1 && event.pointerType === "mouse") split(100 * u); // a finger may be about to scroll
	});
	box.addEventListener("pointermove", (event) => {
		const before = held.get(event.pointerId);
		if (!before) return;
		const [u, v] = at(event);
		const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
		if (other) {
			const wide = ([a, b]) => Math.hypot(a - other[0], b - other[1]) || 0.01;
			zoom(wide([u, v]) / wide(before), (u + other[0]) / 2, (v + other[1]) / 2);
			x += (u - before[0]) / 2;
			y += (v - before[1]) / 2;
			show();
		} else if (grabbing) {
			x += u - before[0];
			y += v - before[1];
			show();
		} else split(100 * u);
		held.set(event.pointerId, [u, v]);
	});
	for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, (event) => held.delete(event.pointerId));
	box.addEventListener("wheel", (event) => {
		if (!event.ctrlKey && !event.metaKey) return; // else the page scrolls
		event.preventDefault();
		zoom(Math.exp(-event.deltaY / 300), ...at(event));
	}, { passive: false });
	box.addEventListener("dblclick", (event) => (scale > 1 ? whole() : zoom(3, ...at(event))));
	input.addEventListener("input", () => split(input.value));
	input.addEventListener("keydown", (event) => {
		if (event.key === "+" || event.key === "=") zoom(1.5);
		else if (event.key === "-") zoom(1 / 1.5);
		else if (event.key === "0" || (event.key === "Escape" && scale > 1)) whole();
		else return;
		event.preventDefault();
	});
	split(50);
	show();
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
	return { box, put, zoom, whole, full: () => (document.fullscreenElement ? document.exitFullscreen() : box.requestFullscreen?.()) };
};
