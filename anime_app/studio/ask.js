// What the page asks of the server. An answer comes as lines of JSON, one for each thing that there is to say.
class Problem extends Error {}
class Busy extends Error {}
class Away extends Error {}
class Gone extends Error {}

// A request whose answer comes as lines of JSON, each of which `heard` gets as it comes; the last one. `sent` hears the share
// of the body that is there, which fetch does not tell. Throws `Busy`, `Away`, and an AbortError when `signal` is aborted:
// the server then ends the work.
const post = (url, type, body, { heard, sent = () => {}, signal }) => new Promise((resolve, reject) => {
	signal.throwIfAborted();
	const request = new XMLHttpRequest();
	request.open("POST", url);
	request.setRequestHeader("content-type", type);
	let read = 0, last = {};
	const listen = (end) => {
		const said = request.responseText.slice(read, end).split("\n").filter(Boolean);
		read = Math.max(read, end);
		for (const line of said) heard((last = JSON.parse(line)));
	};
	request.upload.onprogress = ({ loaded, total }) => sent(loaded / (total || 1));
	request.onprogress = () => request.status === 200 && listen(request.responseText.lastIndexOf("\n") + 1);
	request.onerror = () => reject(new Away());
	request.onload = () => {
		try {
			listen(request.responseText.length);
			if (request.status === 429) throw new Busy();
			resolve(last);
		} catch (error) {
			reject(error instanceof SyntaxError ? new Away() : error); // it was cut off, or another server answers
		}
	};
	signal.addEventListener("abort", () => {
		request.abort();
		reject(signal.reason);
	}, { once: true });
	request.send(body);
});
// What a line says of how it goes.
const tell = ({ ahead, seconds, progress }, hear) => {
	if (ahead !== undefined) hear({ ahead });
	if (seconds !== undefined) hear({ ...progress, seconds });
};
// What came of it, by the last line. Throws `Gone`, `Away`, `Problem` whose `words` are [English, Chinese].
const outcome = ({ done, gone, problem }) => {
	if (done) return done;
	if (gone) throw new Gone();
	if (problem) throw Object.assign(new Problem(), { words: problem });
	throw new Away(); // it ends, or was cut off
};

// The answer to `asked` from `studio/draw`, `grade` or `keep`; `hear` learns how it goes. Throws what `post` and `outcome` do.
const ask = async (name, asked, { hear = () => {}, signal }) => {
	const url = new URL(`studio/${name}`, document.baseURI);
	return outcome(await post(url, "application/json", JSON.stringify(asked), { heard: (line) => tell(line, hear), signal }));
};

// A file to the server; with an order also what `ask` returns of its drawing, and the drawing itself as `picture`, an
// address that holds it, where that is short. `known` hears the photo's key as soon as it has one: what fails after that can
// be asked for without the file. Throws what `ask` does.
const send = async (file, name, order, { hear, sent, known, signal }) => {
	const url = new URL("studio/photo", document.baseURI);
	url.searchParams.set("name", name);
	if (order) url.searchParams.set("order", JSON.stringify(order));
	const heard = (line) => {
		if (line.key) known(line.key);
		tell(line, hear);
	};
	const last = await post(url, "application/octet-stream", file, { heard, sent, signal });
	if (order || !last.key) return outcome(last);
};
