// Gradio's queue, as its own page speaks to it. Each request has a session of its own, so that closing it ends its work.
class Problem extends Error {}
class Busy extends Error {}
class Away extends Error {}
class Gone extends Error {}

const eventNumber = (name) => window.gradio_config.dependencies.find((event) => event.api_name === name).id;
const hash = () => [...crypto.getRandomValues(new Uint8Array(9))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const api = (path) => new URL(`gradio_api/queue/${path}`, document.baseURI);

const post = async (url, body) => {
	try {
		return await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
	} catch {
		throw new Away();
	}
};

// The answer to `asked` from the event `name`; `hear` learns how it goes. Throws `Busy`, `Away`, `Gone`, `Problem` whose
// message is [English, Chinese], and an AbortError when `signal` is aborted.
const ask = async (name, asked, { hear = () => {}, signal } = {}) => {
	const fn_index = eventNumber(name), session_hash = hash();
	signal?.throwIfAborted();
	const joined = await post(api("join"), { data: [JSON.stringify(asked)], fn_index, session_hash });
	if (joined.status === 429 || joined.status === 503) throw new Busy();
	if (!joined.ok) throw new Away();
	const { event_id } = await joined.json();
	const cancel = () => post(new URL("gradio_api/cancel", document.baseURI), { session_hash, fn_index, event_id }).catch(() => {});
	if (signal?.aborted) {
		cancel();
		throw signal.reason;
	}
	const url = api("data");
	url.searchParams.set("session_hash", session_hash);
	const events = new EventSource(url);
	let last = null;
	try {
		return await new Promise((resolve, reject) => {
			signal?.addEventListener("abort", () => {
				cancel();
				reject(signal.reason);
			}, { once: true });
			events.onerror = () => reject(new Away());
			events.onmessage = ({ data }) => {
				const message = JSON.parse(data);
				if (message.msg === "estimation") hear({ ahead: message.rank });
				if (message.msg === "process_starts") hear({ began: true });
				if (message.msg === "unexpected_error") reject(new Away());
				if (message.msg !== "process_generating" && message.msg !== "process_completed") return;
				last = read(message.output?.data?.[0]) ?? last;
				if (last?.progress) hear(last.progress);
				if (message.msg === "process_completed") answered(last, message.success, resolve, reject);
			};
		});
	} finally {
		events.close();
	}
};
// A text, or the one step by which Gradio says that a text has changed
const read = (value) => {
	const text = typeof value === "string" ? value : Array.isArray(value) ? value.at(-1)?.[2] : null;
	return typeof text === "string" ? JSON.parse(text) : null;
};
const answered = (last, success, resolve, reject) => {
	if (last?.done) resolve(last.done);
	else if (last?.gone) reject(new Gone());
	else if (last?.problem) reject(Object.assign(new Problem(), { words: last.problem }));
	else reject(success ? new DOMException("stopped", "AbortError") : new Away());
};

// A file to the server; its key.
const send = (file, name, { hear = () => {}, signal } = {}) => new Promise((resolve, reject) => {
	const url = new URL("studio/photo", document.baseURI), request = new XMLHttpRequest();
	url.searchParams.set("name", name);
	request.open("POST", url);
	request.setRequestHeader("content-type", "application/octet-stream");
	request.upload.onprogress = ({ loaded, total }) => hear({ sent: loaded / (total || 1) });
	request.onerror = () => reject(new Away());
	request.onload = () => {
		let answer = {};
		try {
			answer = JSON.parse(request.responseText);
		} catch {}
		if (answer.key) resolve(answer.key);
		else if (answer.problem) reject(Object.assign(new Problem(), { words: answer.problem }));
		else reject(new Away());
	};
	signal?.addEventListener("abort", () => {
		request.abort();
		reject(signal.reason);
	}, { once: true });
	request.send(file);
});
