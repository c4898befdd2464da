// Looking closer at pictures whose style follows three variables of `element`; `shown(scale)` hears of each change.
// x, y: where the upper left corner lies, in widths and heights of a picture.
const closer = (element, shown) => {
	const MOST = 12;
	const view = {
		scale: 1,
		x: 0,
		y: 0,
		show() {
			view.x = Math.min(0, Math.max(1 - view.scale, view.x));
			view.y = Math.min(0, Math.max(1 - view.scale, view.y));
			const { scale, x, y } = view;
			for (const [name, value] of [["--scale", scale], ["--x", `${100 * x}%`], ["--y", `${100 * y}%`]]) element.style.setProperty(name, value);
			shown(scale);
		},
		move(right, down) {
			view.x += right;
			view.y += down;
			view.show();
		},
		zoom(factor, u = 0.5, v = 0.5) {
			const wanted = Math.min(MOST, Math.max(1, view.scale * factor));
			view.x = u - ((u - view.x) / view.scale) * wanted;
			view.y = v - ((v - view.y) / view.scale) * wanted;
			view.scale = wanted;
			view.show();
		},
		whole() {
			view.scale = 1;
			view.show();
		},
		// The keys of both: whether this one was one of them
		key(event) {
			if (event.key === "+" || event.key === "=") view.zoom(1.5);
			else if (event.key === "-") view.zoom(1 / 1.5);
			else if (event.key === "0" || (event.key === "Escape" && view.scale > 1)) view.whole();
			else return false;
			return true;
		},
	};
	return view;
};
// Where an event lies in a picture, from 0 to 1
const within = (event, picture) => {
	const { left, top, width, height } = picture.getBoundingClientRect();
	return [(event.clientX - left) / width, (event.clientY - top) / height];
};
