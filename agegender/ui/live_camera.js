// The Live page's camera: a placeholder before START, and the video over the page's own connection. The
// browser shows its camera at full rate and draws the server's answer to the latest picture on top.
const STEPS = [[640, 0.75], [640, 0.55], [480, 0.6], [480, 0.4], [480, 0.2]]; // long side, JPEG quality
const SLOW_MS = 230, FAST_MS = 120; // round-trip times for smaller or larger pictures
const LEAST_MS = 66; // minimum interval of pictures: nobody would notice more
const LOST_MS = 3000; // an answer that takes longer is considered lost
const COAST_S = 0.3; // how long a face is assumed to keep moving
const BLOCKS = 6; // blocks across and down a hidden face

class Camera {
  constructor(root) {
    const make = (tag, of) => of.appendChild(document.createElement(tag));
    this.stage = make("div", root);
    this.stage.className = "stage";
    this.video = Object.assign(make("video", this.stage), { muted: true, playsInline: true, autoplay: true });
    this.canvas = make("canvas", this.stage);
    this.word = make("div", this.stage);
    this.word.setAttribute("role", "status");
    this.frames = [document.createElement("canvas"), document.createElement("canvas")];
    this.tiny = document.createElement("canvas");
    Object.assign(this, { turn: 0, number: 0, step: 1, fast: 0, answers: 0, sentAt: 0, data: {} });
    this.wake = () => this.soon();
    document.addEventListener("visibilitychange", this.wake);
  }

  // Called on each page run; `mode` is idle, ask or play.
  told(data, tell) {
    const before = this.data;
    [this.data, this.tell] = [data, (what) => tell("said", { turn: data.turn, what })];
    this.stage.dataset.mode = data.mode;
    this.video.style.transform = data.mirror ? "scaleX(-1)" : "";
    this.video.style.visibility = data.hide ? "hidden" : "";
    if (data.hide && !before.hide) this.canvas.width = 0; // until the next frame is drawn
    if (["mode", "facing", "turn"].some((key) => data[key] !== before[key])) {
      this.close();
      this.turn += 1;
      if (data.mode !== "idle") this.open(this.turn, data.mode === "play");
    }
    this.say();
  }

  say(word) {
    const { title = "", text = "" } = this.data.words ?? {};
    const [head, body] = this.stream ? [word ?? "", ""] : [title, text];
    if (this.word.textContent === head + body) return;
    this.word.replaceChildren(...[["b", head], ["span", body]].map(([tag, said]) =>
      Object.assign(document.createElement(tag), { textContent: said })));
  }

  async open(turn, play) {
    try {
      if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "InsecureError");
      const video = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: this.data.facing };
      const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      if (turn !== this.turn || !play) stream.getTracks().forEach((track) => track.stop());
      if (turn !== this.turn) return;
      if (!play) return this.tell("ready");
      this.stream = this.video.srcObject = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => turn === this.turn && this.tell("ended"));
      await this.video.play();
      if (turn !== this.turn) return;
      this.say();
      this.soon();
      this.draw(turn);
    } catch (error) {
      if (turn === this.turn) this.tell(error.name);
    }
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = this.video.srcObject = this.pending = this.answer = null;
    this.canvas.width = this.canvas.height = 0;
  }

  leave() {
    this.turn += 1;
    this.close();
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.wake);
  }

  // Take the next picture as soon as allowed.
  soon() {
    clearTimeout(this.timer);
    const waits = this.pending ? LOST_MS : LEAST_MS;
    this.timer = setTimeout(() => this.take(), Math.max(0, this.sentAt + waits - performance.now()));
  }

  async take() {
    const { video, turn } = this;
    if (!this.stream || !this.wire || document.hidden || !video.videoWidth) return;
    if (this.pending && performance.now() - this.sentAt >= LOST_MS) this.say("The server does not answer …");
    const at = this.sentAt = performance.now();
    const [longSide, quality] = STEPS[this.step];
    const scale = Math.min(1, longSide / Math.max(video.videoWidth, video.videoHeight));
    const frame = this.frames.find((one) => one !== this.answer?.frame);
    frame.width = Math.round(video.videoWidth * scale);
    frame.height = Math.round(video.videoHeight * scale);
    const context = frame.getContext("2d");
    if (this.data.mirror) context.setTransform(-1, 0, 0, 1, frame.width, 0);
    context.drawImage(video, 0, 0, frame.width, frame.height);
    const pending = this.pending = { n: ++this.number, at, frame };
    const blob = await new Promise((done) => frame.toBlob(done, "image/jpeg", quality));
    if (turn !== this.turn || pending !== this.pending) return;
    if (!blob) return this.soon(); // the next one may have memory again
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    if (!this.wire) return (this.pending = null); // it has left the page, and calls when it is back
    this.stage.dataset.bytes = bytes.length;
    this.wire("frame", { n: pending.n, jpeg: btoa(text) });
    this.soon();
  }

  answered(data, wire) {
    this.wire = wire;
    const { pending } = this;
    if (!pending || data?.n !== pending.n) return pending ? undefined : this.soon();
    this.pending = null;
    if (!data.late) {
      this.answer = { ...data, at: pending.at, frame: pending.frame, drawn: false };
      this.adapt(performance.now() - pending.at - data.ms);
      this.stage.dataset.answers = this.answers += 1;
    }
    this.say(data.error ?? "");
    this.soon();
  }

  adapt(lineMs) {
    this.fast = lineMs < FAST_MS ? this.fast + 1 : 0;
    if (lineMs > SLOW_MS && this.step < STEPS.length - 1) this.step += 1;
    if (this.fast > 20 && this.step > 0) [this.step, this.fast] = [this.step - 1, 0];
  }

  draw(turn) {
    if (turn !== this.turn) return;
    requestAnimationFrame(() => this.draw(turn));
    const { answer, canvas, video, data } = this;
    const [width, height] = answer?.size ?? [video.videoWidth, video.videoHeight];
    if (!width) return;
    this.stage.style.setProperty("--aspect", width / height);
    const scale = Math.max(1, (canvas.clientWidth * devicePixelRatio) / width);
    [canvas.width, canvas.height] = [width * scale, height * scale]; // also clears it
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const looked = answer?.hide && answer.hidden;
    if (data.hide && !looked) return this.veil(context, width, height);
    if (data.hide) this.hide(context, answer, width, height);
    if (!answer) return;
    const later = data.hide ? 0 : Math.min(COAST_S, (performance.now() - answer.at) / 1000);
    answer.people.forEach((person) => this.box(context, person, later));
    answer.people.forEach((person) => person.label && this.label(context, person, later));
    if (!answer.drawn) this.stage.dataset.ms = Math.round(performance.now() - answer.at);
    answer.drawn = true;
  }

  box(context, { box, velocity, line, colour }, later) {
    const [left, top, right, bottom] = box.map((side, i) => side + velocity[i] * later);
    const edge = Math.max(1, Math.floor(line / 3));
    for (const [out, width, stroke] of [[(line + edge) / 2, edge, "#000"], [0, line, colour]]) {
      [context.lineWidth, context.strokeStyle] = [width, stroke];
      context.strokeRect(left - out, top - out, right - left + 2 * out, bottom - top + 2 * out);
    }
  }

  label(context, { velocity, colour, label }, later) {
    const { lines, px, size: [width, height] } = label;
    const [left, top] = label.at.map((side, i) => side + ((velocity[i] + velocity[i + 2]) / 2) * later);
    context.fillStyle = colour;
    context.fillRect(left, top, width, height);
    context.fillStyle = "#000";
    context.font = `600 ${px}px "Source Sans", sans-serif`;
    lines.forEach((text, i) =>
      context.fillText(text, left + 0.4 * px, top + (1.1 * i + 1.06) * px, width - 0.8 * px));
  }

  // The analysed picture, with each face reduced to a few plain blocks.
  hide(context, { frame, hidden }, width, height) {
    context.drawImage(frame, 0, 0, width, height);
    for (const [left, top, right, bottom] of hidden) {
      const [wide, high] = [1.5 * (right - left), 1.7 * (bottom - top)];
      const [x, y] = [(left + right) / 2, (top + bottom) / 2 - 0.08 * (bottom - top)];
      context.save();
      context.beginPath();
      context.ellipse(x, y, wide / 2, high / 2, 0, 0, 2 * Math.PI);
      context.clip();
      context.fillRect(0, 0, width, height); // for parts of blocks outside the picture
      this.coarse(context, frame, [x - wide / 2, y - high / 2, wide, high], BLOCKS, BLOCKS, false);
      context.restore();
    }
  }

  // The whole picture, reduced to little more than its colours, because it has not been analysed yet.
  veil(context, width, height) {
    const blocks = BLOCKS / Math.min(width, height);
    this.coarse(context, this.video, [0, 0, width, height], width * blocks, height * blocks, true);
    this.say("Hiding faces …");
  }

  coarse(context, source, [left, top, width, height], across, down, smooth) {
    [this.tiny.width, this.tiny.height] = [Math.max(1, Math.round(across)), Math.max(1, Math.round(down))];
    const tiny = this.tiny.getContext("2d");
    tiny.imageSmoothingQuality = "high";
    const whole = source === this.video ? [0, 0, source.videoWidth, source.videoHeight] : [left, top, width, height];
    tiny.drawImage(source, ...whole, 0, 0, this.tiny.width, this.tiny.height);
    context.imageSmoothingEnabled = smooth;
    context.drawImage(this.tiny, left, top, width, height);
    context.imageSmoothingEnabled = true;
  }
}

// Reports are a state, not a trigger: Streamlit loses triggers when one page run cuts another short.
export default function ({ data, parentElement, setStateValue }) {
  const camera = (parentElement.camera ??= new Camera(parentElement));
  globalThis.agegenderCamera = camera;
  const waiting = globalThis.agegenderWire;
  if (waiting && !camera.wire) camera.answered(...waiting);
  camera.told(data, setStateValue);
  return () => {
    camera.leave();
    camera.stage.remove();
    delete parentElement.camera;
    if (globalThis.agegenderCamera === camera) delete globalThis.agegenderCamera;
  };
}
