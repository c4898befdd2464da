// Photos in: chosen, dropped anywhere in the window, pasted, or taken. `take` gets [{ file, place }]; `complain` gets the
// key of a text.
const intake = (take, complain, open) => {
	const named = (files) => [...files].map((file) => ({ file, place: file.webkitRelativePath || "" }));
	for (const input of element.querySelectorAll("input[data-own]"))
		input.addEventListener("change", () => {
			take(named(input.files));
			input.value = "";
		});
	const withFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
	let leaving = 0;
	const over = (on) => document.documentElement.classList.toggle("dragging", on);
	window.addEventListener("dragover", (event) => {
		if (!open() || !withFiles(event)) return;
		event.preventDefault();
		event.dataTransfer.dropEffect = "copy";
		clearTimeout(leaving);
		over(true);
	});
	window.addEventListener("dragleave", () => {
		clearTimeout(leaving);
		leaving = setTimeout(() => over(false), 120); // one element is left for the next
	});
	window.addEventListener("drop", async (event) => {
		over(false);
		if (!open() || !event.dataTransfer) return;
		event.preventDefault();
		const { items, files } = event.dataTransfer;
		const entries = [...(items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
		const all = [...files];
		const found = entries.some((entry) => entry.isDirectory) ? (await Promise.all(entries.map((entry) => inside(entry)))).flat() : named(all);
		found.length ? take(found) : complain("nothing_dropped");
	});
	const inside = async (entry, place = "") => {
		const path = place + entry.name;
		if (entry.isFile) return [{ file: await new Promise((good, bad) => entry.file(good, bad)), place: place ? path : "" }];
		const reader = entry.createReader(), found = [];
		for (;;) {
			const some = await new Promise((good, bad) => reader.readEntries(good, bad));
			if (!some.length) break;
			for (const each of some) if (!each.name.startsWith(".")) found.push(...(await inside(each, `${path}/`)));
		}
		return found;
	};
	window.addEventListener("paste", (event) => {
		if (!open() || event.target.closest?.("input:not([type=range], [type=radio], [type=checkbox]), textarea")) return;
		const files = [...(event.clipboardData?.files ?? [])];
		files.length ? take(named(files.map(dated))) : complain("nothing_pasted");
	});
	const stamp = () => new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-");
	// what is pasted is called image.png, each time
	const dated = (file) => (/^image\.\w+$/.test(file.name) ? new File([file], `pasted-${stamp()}.${file.name.split(".").at(-1)}`, { type: file.type }) : file);
	const paste = async () => {
		const files = [];
		try {
			for (const item of await navigator.clipboard.read())
				for (const type of item.types.filter((type) => type.startsWith("image/")).slice(0, 1))
					files.push(new File([await item.getType(type)], `pasted-${stamp()}.${type.split("/")[1].replace("jpeg", "jpg").split("+")[0]}`, { type }));
		} catch {} // not allowed, or nothing there: both are said
		files.length ? take(named(files)) : complain("nothing_pasted");
	};
	return { paste, camera: camera((file) => take(named([file])), stamp) };
};

const camera = (take, stamp) => {
	const dialog = element.querySelector(".viewfinder"), video = dialog.querySelector("video"), message = dialog.querySelector(".message");
	let stream = null, facing = "user", turn = 0; // a camera of an earlier turn is not wanted
	const stop = (one) => {
		for (const track of one?.getTracks() ?? []) track.stop();
	};
	const end = () => {
		turn++;
		stop(stream);
		stream = video.srcObject = null;
	};
	const start = async () => {
		end();
		const mine = turn;
		message.hidden = true;
		try {
			const opened = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } } });
			if (mine !== turn) return stop(opened);
			video.srcObject = stream = opened;
			await video.play();
		} catch {
			if (mine !== turn) return;
			message.replaceChildren(words("no_camera"));
			message.hidden = false;
		}
		if (mine !== turn) return;
		dialog.querySelector("[data-do=shoot]").disabled = !stream;
		dialog.querySelector("[data-do=turn]").disabled = !stream;
	};
	dialog.addEventListener("close", end);
	return {
		open() {
			dialog.showModal();
			start();
		},
		turn() {
			facing = facing === "user" ? "environment" : "user";
			start();
		},
		leave: () => dialog.close(),
		async shoot() {
			if (!video.videoWidth) return;
			const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
			canvas.getContext("2d").drawImage(video, 0, 0);
			const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
			dialog.close();
			take(new File([blob], `camera-${stamp()}.jpg`, { type: "image/jpeg" }));
		},
	};
};
