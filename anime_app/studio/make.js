// The view Make: the photos that are there, what is to be done to them, and how it goes. One thing is done at a time, the
// photo that is looked at first; a choice that makes it needless ends it.
const AGAIN = 3000; // milliseconds until a busy or silent studio is asked again
const KEPT = "studio_choices", PHOTOS = "studio_photos", RATES = "studio_rates";
const { words } = studio;
const find = (selector) => element.querySelector(selector);
const all = (selector) => [...element.querySelectorAll(selector)];
const form = find(".panel"), view = stage(), busy = find(".busy"), film = find("video.film"), messages = find(".messages");
const photos = [];
let chosen = null, halted = false, work = null, saving = false;

// The sizes of the network of the style that is chosen; where it has one alone there is nothing to choose.
const offerSpeeds = () => {
	const field = form.elements.speed, there = SETTINGS.speeds[form.elements.network.value] ?? [];
	for (const option of field.options) option.hidden = option.disabled = !there.includes(option.value);
	if (!there.includes(field.value)) field.value = "lite";
	field.closest(".field").hidden = there.length < 2;
};
// What is chosen, and remembered.
const order = () => {
	const data = new FormData(form);
	const value = { network: data.get("network"), speed: data.get("speed"), palette: data.get("palette"), lines: data.get("lines"), size: Number(data.get("size")) };
	return { ...value, strength: Number(data.get("strength")) / 100, keep: data.get("keep") !== null };
};
const drawingOf = (order) => `${order.network} ${paceOf(order)}`;
const paceOf = ({ speed, lines }) => `${speed} ${lines}`;
const lookOf = ({ size, ...look }) => JSON.stringify(look);
const keep = (storage, name, value) => {
	try {
		storage.setItem(name, JSON.stringify(value));
	} catch {} // full, or not allowed
};
const kept = (storage, name) => {
	try {
		return JSON.parse(storage.getItem(name));
	} catch {
		return null;
	}
};
const restore = (choices) => {
	for (const [name, value] of Object.entries(choices ?? {})) {
		const field = form.elements[name];
		if (!field) continue;
		if (name === "keep") field.checked = value === true;
		else if (name === "strength") field.value = Math.round(100 * value);
		else if (field instanceof RadioNodeList ? [...field].some((one) => one.value === value) : [...field.options].some((one) => one.value === String(value))) field.value = value;
	}
};
const percent = () => (form.querySelector("output").value = `${form.elements.strength.value} %`);

// What is said. What goes wrong stays until it is taken away.
const complain = (key, values = {}) => {
	const line = document.createElement("p");
	line.className = "message";
	line.role = "alert";
	line.append(words(key, values));
	const away = Object.assign(document.createElement("button"), { type: "button", className: "away" });
	away.append(Object.assign(document.createElement("span"), { textContent: "×", ariaHidden: "true" }), hiddenWords("dismiss"));
	away.dataset.do = "dismiss";
	line.append(away);
	for (const other of messages.children) if (other.textContent === line.textContent) other.remove();
	messages.append(line);
	return line;
};
const hiddenWords = (key, values) => {
	const span = Object.assign(document.createElement("span"), { className: "sr" });
	span.append(words(key, values));
	return span;
};
const note = (...parts) => find(".tools .note").replaceChildren(...parts);
const pill = (parts, stoppable = true) => {
	busy.hidden = !parts;
	busy.querySelector("[data-do=stop]").hidden = !stoppable;
	busy.querySelector(".how").replaceChildren(...(parts ?? []).flatMap((part) => [part, document.createTextNode(" ")]));
};
const left = (seconds) => (seconds > 90 ? words("minutes_left", { count: Math.round(seconds / 60) }) : words("seconds_left", { count: Math.max(1, Math.ceil(seconds)) }));
// Seconds for a million pixels, learnt from what was drawn before
const rates = kept(localStorage, RATES) ?? {};
const learn = (kind, photo, seconds) => {
	if (!photo.width) return;
	const rate = seconds / ((photo.width * photo.height) / 1e6);
	rates[kind] = rates[kind] ? 0.5 * (rates[kind] + rate) : rate;
	keep(localStorage, RATES, rates);
};
const expected = (kind, photo) => (rates[kind] && photo.width ? (rates[kind] * photo.width * photo.height) / 1e6 : null);

// Says again and again how a piece of work goes, until it is told to stop.
const follow = (kind, photo, say) => {
	const began = performance.now(), state = { ahead: 0, share: null, sent: null };
	const elapsed = () => (performance.now() - (state.start ?? began)) / 1000; // of the work, without the wait before it
	const show = () => {
		const seconds = elapsed();
		if (state.ahead > 0 && !state.start) return pill([words("waiting", { count: state.ahead })]);
		const parts = say(state), whole = expected(kind, photo);
		if (state.share > 0.02) parts.push(left((seconds / state.share) * (1 - state.share)));
		else if (state.remaining?.(seconds)) parts.push(left(state.remaining(seconds)));
		else if (whole && whole > seconds + 1) parts.push(left(whole - seconds));
		else if (seconds > 2) parts.push(words("seconds_so_far", { count: Math.round(seconds) }));
		pill(parts);
	};
	const timer = setInterval(show, 500), first = setTimeout(show, 150);
	return {
		state,
		hear({ seconds, ...progress }) {
			if (seconds !== undefined) state.start = performance.now() - 1000 * seconds;
			Object.assign(state, progress);
		},
		seconds: elapsed,
		end() {
			clearInterval(timer);
			clearTimeout(first);
			pill(null);
		},
	};
};

// Photos in and out.
let counted = 0;
const take = (found) => {
	const wrong = [], large = [], good = [];
	for (const { file, place } of found) {
		const suffix = `.${file.name.split(".").at(-1).toLowerCase()}`;
		if (file.name.startsWith(".")) continue; // a folder's own business
		if (!SETTINGS.suffixes.includes(suffix)) wrong.push(file.name);
		else if (file.size > studio.settings.limit) large.push(file.name);
		else good.push({ id: ++counted, file, place, name: file.name, film: SETTINGS.films.includes(suffix), state: "new" });
	}
	if (wrong.length) complain("no_pictures", { names: wrong.slice(0, 8).join(", ") + (wrong.length > 8 ? " …" : "") });
	if (large.length) complain("too_large", { name: large.slice(0, 8).join(", "), most: studio.settings.limit / 1e6 });
	const room = SETTINGS.photos - photos.length;
	if (good.length > room) complain("too_many", { count: good.length + photos.length, most: SETTINGS.photos });
	const added = good.slice(0, Math.max(0, room));
	if (!added.length) return;
	for (const photo of added) if (!photo.film) photo.thumb = URL.createObjectURL(photo.file);
	photos.push(...added);
	halted = false;
	look(added[0]);
	go();
};
const remove = (photo) => {
	const place = photos.indexOf(photo);
	photos.splice(place, 1);
	if (photo.thumb) URL.revokeObjectURL(photo.thumb);
	drop(photo);
	if (work?.photo === photo) work.abort.abort();
	const near = photos[Math.min(place, photos.length - 1)] ?? null, focused = photo.tile?.contains(document.activeElement) && document.activeElement;
	if (chosen === photo) look(near);
	remember();
	refresh();
	if (focused) (near.tile.isConnected ? near.tile.querySelector("remove" in focused.dataset ? ".away" : ".tile") : find(".album [data-do=choose]")).focus();
};
const remember = () => keep(sessionStorage, PHOTOS, photos.filter((photo) => photo.key).map(({ key, name, place, film }) => ({ key, name, place, film })));

// A picture of a photo: the one that came with its first answer is in the browser, others at the server.
const addressOf = ({ key, held }, name) => (held?.name === name ? held.url : `studio/photo/${key}/${name}`);
const hold = async (photo, name, picture) => {
	drop(photo);
	photo.held = { name, url: URL.createObjectURL(await (await fetch(picture)).blob()) };
};
const drop = (photo) => {
	if (photo.held) URL.revokeObjectURL(photo.held.url);
	delete photo.held;
};

// What is to be seen.
const look = (photo) => {
	chosen = photo;
	show();
	refresh();
};
const show = () => {
	const shown = chosen?.shown;
	view.box.hidden = !shown;
	find(".tools").hidden = !shown;
	film.hidden = true;
	film.pause();
	film.removeAttribute("src");
	chips(chosen?.chips);
	wait(chosen && !shown ? chosen : null);
	if (!shown) return;
	view.put(addressOf(chosen, shown.before), addressOf(chosen, shown.after), `${shown.width} / ${shown.height}`);
	const key = shown.film ? "of_film" : shown.frames > 1 ? "of_frames" : "of_photo";
	note(words(key, { name: chosen.name, ...shown }));
};
// The photo itself until its drawing is there; a flower where the browser cannot show it
const wait = (photo) => {
	const place = find(".waiting"), image = place.querySelector("img");
	place.hidden = !photo;
	image.hidden = true;
	image.onload = () => (image.hidden = false);
	if (photo?.thumb) image.src = photo.thumb;
	else image.removeAttribute("src");
};
// What a choice does to the photo, and without one to a scene
const plain = new Map(all(".chip-view").map((chip) => [chip, chip.style.background]));
const chips = (made) => {
	for (const [chip, scene] of plain) {
		const url = made?.styles[chip.dataset.style] ?? made?.palettes[chip.dataset.palette];
		chip.style.background = url ? `center / cover url("${url}")` : scene;
	}
};
const refresh = () => {
	find(".make").classList.toggle("filled", photos.length > 0);
	find(".drop").hidden = photos.length > 0;
	find(".album").hidden = !photos.length;
	tiles();
	find("[data-do=remove-all]").hidden = !photos.length;
	find("[data-do=go-on]").hidden = !halted || !next();
	const ready = Boolean(chosen?.shown) && !saving;
	for (const button of all(".actions button")) button.disabled = !ready;
	form.classList.toggle("film", Boolean(chosen?.film));
	const zip = find("[data-do=zip]");
	zip.hidden = photos.filter((photo) => photo.shown).length < 2;
	zip.disabled = saving;
};
// A photo has one tile, which stays where it is and keeps the focus; new photos come last.
const tiles = () => {
	const list = find(".tiles"), wanted = photos.length > 1 ? photos.map(tile) : [];
	for (const item of [...list.children]) if (!wanted.includes(item)) item.remove();
	list.append(...wanted.filter((item) => item.parentNode !== list));
};
const tile = (photo) => {
	photo.tile ??= newTile(photo);
	const open = photo.tile.querySelector(".tile"), image = open.querySelector("img");
	open.className = `tile ${photo.state}`;
	open.ariaPressed = String(photo === chosen);
	const url = photo.shown ? addressOf(photo, photo.shown.after) : photo.thumb;
	if (url && image.getAttribute("src") !== url) image.src = url;
	return photo.tile;
};
const newTile = (photo) => {
	const item = document.createElement("li"), open = document.createElement("button"), away = document.createElement("button");
	open.type = away.type = "button";
	open.className = "tile";
	open.dataset.open = away.dataset.remove = photo.id;
	open.title = photo.name;
	open.append(Object.assign(document.createElement("img"), { alt: photo.name, loading: "lazy" }));
	if (photo.film) open.append(Object.assign(document.createElement("i"), { className: "play", ariaHidden: "true" }));
	away.className = "away";
	away.append(Object.assign(document.createElement("span"), { textContent: "×", ariaHidden: "true" }), hiddenWords("remove", { name: photo.name }));
	item.append(open, away);
	return item;
};

// What is to be done.
const wants = (photo) => photo.state !== "failed" && photo.made !== lookOf(order());
const wantsChips = (photo) => photo.state !== "failed" && photo.chipped !== drawingOf(order()); // once it is drawn
const next = () => (chosen && (wants(chosen) || wantsChips(chosen)) ? chosen : photos.find(wants));
let running = false;
const go = async () => {
	if (running) return;
	running = true;
	for (let photo; !halted && !saving && (photo = next()); ) await attempt(photo);
	running = false;
	refresh();
};
const attempt = async (photo) => {
	const abort = new AbortController(), wanted = order();
	work = { photo, abort, drawing: drawingOf(wanted) };
	try {
		const known = photo.drawn?.has(drawingOf(wanted));
		const asked = { key: photo.key, name: photo.name, order: wanted, chips: known && !wants(photo) };
		const shown = await (known && !asked.chips ? ask("grade", asked, { signal: abort.signal }) : draw(photo, asked, abort.signal));
		const { chips, picture, ...rest } = shown;
		if (picture) await hold(photo, rest.after, picture);
		Object.assign(photo, { shown: rest, width: rest.width, height: rest.height, film: rest.film, state: "done", made: lookOf(wanted) });
		(photo.drawn ??= new Set()).add(drawingOf(wanted));
		if (chips) Object.assign(photo, { chips, chipped: drawingOf(wanted) });
		if (photo === chosen) show();
	} catch (error) {
		await failed(photo, error, abort.signal);
	} finally {
		if (work?.abort === abort) work = null; // else something newer is done
	}
	refresh();
};
const bring = async (photo, signal) => {
	const watched = sending(photo);
	try {
		await send(photo.file, photo.name, null, { ...heard(photo, () => watched), signal });
	} finally {
		watched.end();
	}
};
const sending = (photo) => follow("send", photo, ({ sent }) => [words("sending", { name: photo.name, percent: Math.floor(100 * (sent ?? 0)) })]);
const heard = (photo, watched, begun = () => {}) => ({
	hear: (said) => watched().hear(said),
	sent: (share) => watched().hear({ sent: share }),
	known(key) {
		photo.key = key;
		remember();
		begun();
	},
});
// A photo that the server does not have yet goes there in the same request.
const draw = async (photo, asked, signal) => {
	const kind = `draw ${paceOf(asked.order)}`, todo = photos.filter(wants).length, total = photos.length;
	if (asked.chips) return ask("draw", asked, { signal });
	const drawing = () => {
		const watched = follow(kind, photo, () => [total > 1 ? words("drawing_many", { done: total - todo + 1, total }) : words("drawing")]);
		watched.state.remaining = (seconds) => (todo > 1 && averages[kind] ? averages[kind] * todo - seconds : 0);
		return watched;
	};
	let watched = photo.key ? drawing() : sending(photo);
	const begun = () => {
		watched.end();
		watched = drawing();
	};
	photo.state = "working";
	refresh();
	try {
		const hears = { ...heard(photo, () => watched, begun), signal };
		const shown = await (photo.key ? ask("draw", asked, hears) : send(photo.file, photo.name, asked.order, hears));
		learn(kind, { width: shown.width, height: shown.height }, watched.seconds());
		averages[kind] = averages[kind] ? 0.6 * averages[kind] + 0.4 * watched.seconds() : watched.seconds();
		return shown;
	} finally {
		watched.end();
		if (photo.state === "working") photo.state = "new";
	}
};
const averages = {};
const pause = (signal) => new Promise((done) => {
	const timer = setTimeout(done, AGAIN);
	signal.addEventListener("abort", () => {
		clearTimeout(timer);
		done();
	}, { once: true });
});
const forget = (photo) => {
	for (const name of ["key", "drawn", "made", "chipped"]) delete photo[name];
};
const failed = async (photo, error, signal) => {
	if (error.name === "AbortError") return;
	if (error instanceof Busy || error instanceof Away) {
		pill([words(error instanceof Busy ? "busy" : "away")]);
		await pause(signal);
		return pill(null);
	}
	if (error instanceof Gone && photo.file) {
		forget(photo); // the browser still has it
		return;
	}
	if (error instanceof Gone) {
		complain("cleared", { name: photo.name });
		remove(photo);
		return;
	}
	if (!(error instanceof Problem)) console.error(error);
	photo.state = "failed";
	complain("failed", { name: photo.name, reason: error.words ?? studio.settings.texts.not_saved });
	if (!photo.shown) remove(photo);
	else photo.made = lookOf(order());
};
const changed = () => {
	percent();
	offerSpeeds();
	keep(localStorage, KEPT, order());
	for (const photo of photos) if (photo.state === "failed") photo.state = "done";
	if (work && !saving && work.drawing !== drawingOf(order())) work.abort.abort(new DOMException("changed", "AbortError"));
	if (halted && chosen?.shown) halted = false;
	go();
};

// Files to keep.
const save = async (kind) => {
	const zip = kind === "zip", done = photos.filter((photo) => photo.shown), photo = chosen;
	const asked = () => (zip ? done : [photo]).map(({ key, name, place }) => ({ key, name, place }));
	saving = true;
	work?.abort.abort();
	refresh();
	const abort = new AbortController(), whole = kind === "full" && photo.film;
	work = { photo: zip ? null : photo, abort };
	const watched = follow(`${kind} ${paceOf(order())}`, zip || whole ? {} : photo, (state) => {
		if (zip) return [words("making_zip", { done: state.done ?? 0, total: state.total ?? done.length })];
		return [whole ? words("drawing_film", { percent: Math.floor(100 * (state.share ?? 0)) }) : words("making")];
	});
	try {
		const made = await again(zip ? done : [photo], abort.signal, (complete) =>
			ask("keep", { photos: asked(), order: order(), kind, zip, complete }, { hear: watched.hear, signal: abort.signal }));
		if (!zip && !whole) learn(`${kind} ${paceOf(order())}`, photo, watched.seconds());
		for (const [name, ...reason] of made.problems ?? []) complain("failed", { name, reason });
		for (const reason of made.notes ?? []) complain("failed", { name: photo.name, reason });
		if (made.url) given(made, whole && photo === chosen);
	} catch (error) {
		if (error instanceof Gone) complain("expired");
		else if (error.name === "AbortError") note(words("stopped"));
		else if (error instanceof Busy || error instanceof Away) complain(error instanceof Busy ? "busy_now" : "away_now");
		else complain("failed", { name: zip ? "zip" : photo.name, reason: error.words ?? studio.settings.texts.not_saved });
	} finally {
		watched.end();
		saving = false;
		work = null;
		refresh();
		go();
	}
};
// What has been cleared away, and this page still has, is taken in anew, once; of several the server then names the others.
const again = async (wanted, signal, work) => {
	for (const photo of wanted) if (!photo.key && photo.file) await bring(photo, signal);
	try {
		return await work(true);
	} catch (error) {
		const here = wanted.filter((photo) => photo.file);
		if (!(error instanceof Gone) || (wanted.length < 2 && !here.length)) throw error;
		for (const photo of here) {
			forget(photo);
			await bring(photo, signal);
		}
		return work(false);
	}
};
const given = (made, play) => {
	const link = Object.assign(document.createElement("a"), { href: made.url, download: made.name });
	element.append(link);
	link.click();
	link.remove();
	note(words("saved", { name: made.name }));
	if (!play) return;
	view.box.hidden = true;
	film.hidden = false;
	film.src = `${made.url}?show=true`;
	film.play().catch(() => {});
};

const halt = () => {
	if (!saving) halted = true;
	work?.abort.abort();
	note(words("stopped"));
	refresh();
};
const sample = async () => {
	try {
		const answer = await fetch("studio/sample.jpg");
		if (!answer.ok) throw new Error();
		take([{ file: new File([await answer.blob()], "sample.jpg", { type: "image/jpeg" }), place: "" }]);
	} catch {
		complain("no_sample");
	}
};
const open = () => element.checkVisibility() && !element.querySelector("dialog[open]");
const taken = intake(take, complain, open);
const actions = {
	choose: () => find("#files").click(),
	folder: () => find("#folder").click(),
	paste: taken.paste,
	camera: taken.camera.open,
	shoot: taken.camera.shoot,
	turn: taken.camera.turn,
	leave: taken.camera.leave,
	sample,
	stop: halt,
	"go-on"() {
		halted = false;
		refresh();
		go();
	},
	"remove-all"() {
		for (const photo of [...photos]) remove(photo);
	},
	"zoom-in": () => view.zoom(1.5),
	"zoom-out": () => view.zoom(1 / 1.5),
	"zoom-whole": view.whole,
	"full-screen": view.full,
	dismiss: (button) => button.closest(".message").remove(),
	...Object.fromEntries(["full", "pair", "gif", "zip"].map((kind) => [kind, () => save(kind)])),
};
element.addEventListener("click", (event) => {
	const button = event.target.closest("button");
	if (!button) return;
	if (button.dataset.open) look(photos.find((photo) => photo.id === Number(button.dataset.open)));
	else if (button.dataset.remove) remove(photos.find((photo) => photo.id === Number(button.dataset.remove)));
	else actions[button.dataset.do]?.(button);
	if (button.dataset.open) go();
});
form.addEventListener("input", changed);
form.addEventListener("submit", (event) => event.preventDefault());
const speak = () => {
	const language = document.documentElement.dataset.language;
	for (const option of all("option")) option.textContent = option.dataset[language];
};
window.addEventListener("studio-language", speak);
find("[data-do=full-screen]").hidden = !document.fullscreenEnabled; // on an iPhone
find("#files").accept = SETTINGS.suffixes.join();
speak();
restore(kept(localStorage, KEPT));
offerSpeeds();
percent();
for (const { key, name, place, film } of kept(sessionStorage, PHOTOS) ?? []) photos.push({ id: ++counted, key, name, place, film, state: "new" });
if (photos.length) look(photos[0]);
else refresh();
go();
