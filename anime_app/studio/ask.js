// What the page asks of the server. An answer comes as lines of JSON, one for each thing that there is to say.
class Problem extends Error {}
class Busy extends Error {}
class Away extends Error {}
class Gone extends Error {}

// The answer to `asked` from `studio/draw`, `grade` or `keep`; `hear` learns how it goes. Throws `Busy`, `Away`, `Gone`,
// `Problem` whose `words` are [English, Chinese], and an AbortError when `signal` is aborted: the server then ends the work.
const ask = async (name, asked, { hear = () => {}, signal } = {}) => {
	try {
		const headers = { "content-type": "application/json" };
		const answer = await fetch(new URL(`studio/${name}`, document.baseURI), { method: "POST", headers, body: JSON.stringify(asked), signal });
		if (answer.status === 429) throw new Busy();
		if (!answer.ok) throw new Away();
		let last = {};
		for await (const line of lines(answer.body)) {
			last = line;
			if (line.ahead !== undefined) hear({ ahead: line.ahead });
			if (line.seconds !== undefined) hear({ ...line.progress, seconds: line.seconds });
		}
		if (last.done) return last.done;
		if (last.gone) throw new Gone();
		if (last.problem) throw Object.assign(new Problem(), { words: last.problem });
		throw new Away(); // it ends, or was cut off
	} catch (error) {
		if (error instanceof Busy || error instanceof Gone || error instanceof Problem) throw error;
		signal?.throwIfAborted();
		throw new Away();
	}
};
const lines = async function* (body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	for (let part; !(part = await reader.read()).done; ) {
		const whole = (rest + part.value).split("\n");
		rest = whole.pop();
		for (const line of whole) yield JSON.parse(line);
	}
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
