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
		for await (const line of lines(answer.body)) tell((last = line), hear);
		return outcome(last);
	} catch (error) {
		if (error instanceof Busy || error instanceof Gone || error instanceof Problem) throw error;
		signal?.throwIfAborted();
		throw new Away();
	}
};
// What one line says of how it goes.
const tell = ({ ahead, seconds, progress }, hear) => {
	if (ahead !== undefined) hear({ ahead });
	if (seconds !== undefined) hear({ ...progress, seconds });
};
// What came of it, by the last line.
const outcome = ({ done, gone, problem }) => {
	if (done) return done;
	if (gone) throw new Gone();
	if (problem) throw Object.assign(new Problem(), { words: problem });
	throw new Away(); // it ends, or was cut off
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

// A file to the server; with an order also what `ask` returns of its drawing, and the drawing itself as `picture`, an
// address that holds it, where that is short. `sent` hears the share of the file that is there, `known` the photo's key as
// soon as it has one: what fails after that can be asked for without the file. Throws what `ask` does.
const send = (file, name, order, { hear, sent, known, signal }) => new Promise((resolve, reject) => {
	const url = new URL("studio/photo", document.baseURI), request = new XMLHttpRequest(); // fetch does not tell what is sent
	url.searchParams.set("name", name);
	if (order) url.searchParams.set("order", JSON.stringify(order));
	request.open("POST", url);
	request.setRequestHeader("content-type", "application/octet-stream");
	let read = 0, last = {};
	const listen = (end) => {
		const said = request.responseText.slice(read, end).split("\n").filter(Boolean);
		read = Math.max(read, end);
		for (const line of said) {
			last = JSON.parse(line);
			if (last.key) known(last.key);
			tell(last, hear);
		}
	};
	request.upload.onprogress = ({ loaded, total }) => sent(loaded / (total || 1));
	request.onprogress = () => listen(request.responseText.lastIndexOf("\n") + 1);
	request.onerror = () => reject(new Away());
	request.onload = () => {
		try {
			listen(request.responseText.length);
			if (request.status === 429) throw new Busy();
			resolve(order || !last.key ? outcome(last) : undefined);
		} catch (error) {
			reject(error instanceof SyntaxError ? new Away() : error); // it was cut off, or another server answers
		}
	};
	signal.addEventListener("abort", () => {
		request.abort();
		reject(signal.reason);
	}, { once: true });
	request.send(file);
});
