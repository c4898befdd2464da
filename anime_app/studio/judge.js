// A rater's session. What comes from the server are keys that say nothing and pictures of one length; which version drew
// a picture is known to the server alone. A drawing's waiting time passes there, before the answer is sent.
const rater = new URLSearchParams(location.search).get("panel");
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const parts = ["outside", "welcome", "pair", "done", "lost", "away"];
let pair = null, seen = new Set(), began = 0, last = null;

const show = (name) => {
	for (const each of parts) part(each).hidden = each !== name;
};
const ask = async (work, question) => {
	last = () => guarded(work);
	const answer = await question;
	if (answer.problem) throw Object.assign(new Error(answer.problem), { lost: answer.lost });
	return answer;
};
const guarded = async (work) => {
	try {
		await work();
	} catch (error) {
		show(error.lost ? "lost" : "away");
	}
};
const number = (text, ...values) => text.replace(/\{(\d)\}/g, (_, index) => values[index]);

const open = async () => {
	const next = await ask(open, server.judge_next({ rater }));
	pair = next;
	if (!next.pair) return show("done");
	for (const span of part("welcome").querySelectorAll("[data-start]")) span.hidden = (span.dataset.start === "again") !== next.position > 1;
	return next;
};
const welcome = async () => {
	if (await open()) show("welcome");
};
const advance = async () => {
	if (!(await open())) return;
	for (const span of element.querySelectorAll(".place span"))
		span.textContent = number(span.dataset.text, pair.position, pair.total);
	element.querySelector(".bar i").style.width = `${(100 * (pair.position - 1)) / pair.total}%`;
	element.querySelector("form").reset();
	fill();
	faces();
	element.querySelector("form .back").disabled = pair.position === 1;
	zoomed.reset();
	show("pair");
	element.querySelector(".place").scrollIntoView({ block: "nearest" });
	await reveal();
};
const reveal = async () => {
	const now = pair.pair;
	seen = new Set();
	ready();
	const views = [...element.querySelectorAll(".view[data-side]")];
	for (const view of views) view.innerHTML = '<div class="wait"><i></i></div>';
	const fetched = async (view) => {
		const answer = await ask(reveal, server.judge_picture({ rater, pair: now, side: view.dataset.side }));
		if (pair.pair !== now) return;
		const image = new Image();
		image.alt = view.dataset.side === "photo" ? "" : view.dataset.side === "left" ? "A" : "B";
		image.draggable = false;
		image.src = answer.picture;
		await image.decode();
		for (const each of views) each.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
		view.replaceChildren(image);
		seen.add(view.dataset.side);
		ready();
	};
	await fetched(views.find((view) => view.dataset.side === "photo"));
	began ||= performance.now();
	await Promise.all(views.filter((view) => view.dataset.side !== "photo").map(fetched));
};

const scores = (side) => {
	const data = new FormData(element.querySelector("form"));
	return Object.fromEntries(["naturalness", "colour", "anime", "speed"].map((name) => {
		const value = data.get(`${side}-${name}`);
		return [name, value === null ? null : Number(value)];
	}));
};
const faceless = () => element.querySelector('[name="no-face"]').checked;
const faces = () => {
	for (const radio of element.querySelectorAll('[name$="-naturalness"]')) {
		radio.disabled = faceless();
		if (faceless()) radio.checked = false;
	}
	ready();
};
const ready = () => {
	const missing = ["left", "right"].some((side) =>
		Object.entries(scores(side)).some(([name, value]) => value === null && !(name === "naturalness" && faceless())));
	element.querySelector(".next").disabled = missing || !seen.has("left") || !seen.has("right");
};
// What was said of a pair that was taken back
let before = null;
const fill = () => {
	for (const [side, scores] of Object.entries(before ?? {}))
		for (const [name, value] of Object.entries(scores)) {
			const radio = element.querySelector(`[name="${side}-${name}"][value="${value}"]`);
			if (radio) radio.checked = true;
			if (name === "naturalness") element.querySelector('[name="no-face"]').checked = value === null;
		}
	before = null;
};
const back = async () => {
	before = (await ask(back, server.judge_back({ rater }))).scores;
	await advance();
};
const send = async () => {
	const button = element.querySelector(".next");
	if (button.disabled) return;
	button.disabled = true;
	const rating = { rater, pair: pair.pair, left: scores("left"), right: scores("right"), seconds: (performance.now() - began) / 1000 };
	const kept = async () => {
		await ask(kept, server.judge_rate(rating));
		began = 0;
		await advance();
	};
	await kept();
};

element.addEventListener("change", (event) => (event.target.name === "no-face" ? faces() : ready()));
element.addEventListener("submit", (event) => {
	event.preventDefault();
	guarded(send);
});
element.addEventListener("click", (event) => {
	const action = event.target.closest("[data-do]")?.dataset.do;
	if (action === "start") guarded(advance);
	else if (action === "again") guarded(reveal);
	else if (action === "back") guarded(back);
	else if (action === "retry") {
		if (pair?.pair) show("pair");
		(last ?? (() => guarded(welcome)))();
	}
});
if (rater) {
	document.documentElement.dataset.panel = "rater"; // hides what is not for raters
	guarded(welcome);
} else show("outside");
