// SPDX-License-Identifier: GPL-2.0-or-later
// The list of vGPUs: pictures of their heads, and figures of the last minutes.
// Names come from guests and users, so all text goes through textContent.
'use strict';

const PERIOD_MS = 2000;
const SAMPLES_MAX = 150; // 5 minutes
const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 150, HEIGHT = 32;

const list = document.getElementById('vgpus');
const state = document.getElementById('state');
const cards = new Map(); // by uuid

function element(name, parent, text, className) {
	const made = document.createElement(name);

	if (text !== undefined)
		made.textContent = text;
	if (className)
		made.className = className;
	parent.append(made);
	return made;
}

function number(value) {
	return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

// A line of what is known; its top is the largest value, or @top.
class Plot {
	constructor(parent, label, unit, top) {
		const box = element('figure', parent);
		const caption = element('figcaption', box, label + ' ');

		this.value = element('b', caption);
		this.unit = unit;
		this.top = top;
		this.samples = [];
		this.svg = document.createElementNS(SVG, 'svg');
		this.svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
		this.svg.setAttribute('preserveAspectRatio', 'none');
		this.line = document.createElementNS(SVG, 'polyline');
		this.svg.append(this.line);
		box.append(this.svg);
	}

	add(value) {
		this.samples.push(value);
		if (this.samples.length > SAMPLES_MAX)
			this.samples.shift();
		this.value.textContent = value === null ? '–' :
			`${value.toFixed(value < 10 && value % 1 ? 1 : 0)} ${this.unit}`;
		this.draw();
	}

	draw() {
		const top = Math.max(this.top, ...this.samples.map((v) => v ?? 0));
		const left = SAMPLES_MAX - this.samples.length;
		const points = this.samples.map((value, i) => [
			(left + i) * WIDTH / (SAMPLES_MAX - 1),
			HEIGHT - 1 - (value ?? 0) / top * (HEIGHT - 2),
		]);

		this.line.setAttribute('points',
			points.map((p) => p.map((v) => v.toFixed(1)).join(',')).join(' '));
	}
}

// A picture of a head, which links to its console. The next is asked for when this
// one is there.
class Picture {
	constructor(parent, uuid, head) {
		const query = `vgpu=${encodeURIComponent(uuid)}&head=${head}`;

		this.link = element('a', parent, undefined, 'head');
		this.link.href = `/console?${query}`;
		this.url = `/picture?${query}&n=`;
		this.n = 0;
		this.text = element('span', this.link, `head ${head}: no picture`);
		this.image = element('img', this.link);
		this.image.alt = `head ${head}`;
		this.image.hidden = true;
		this.next = new Image();
		this.next.onload = () => this.show(true);
		this.next.onerror = () => this.show(false);
		this.isLoading = false;
	}

	show(isThere) {
		this.isLoading = false;
		if (isThere)
			this.image.src = this.next.src;
		this.image.hidden = !isThere;
		this.text.hidden = isThere;
	}

	update() {
		if (this.isLoading || document.hidden)
			return;
		this.isLoading = true;
		this.next.src = this.url + this.n++;
	}
}

class Card {
	constructor(vgpu) {
		this.box = element('article', list);
		this.title = element('h2', this.box);
		this.about = element('p', this.box);
		this.heads = element('div', this.box, undefined, 'heads');
		this.pictures = new Map();
		const plots = element('div', this.box, undefined, 'plots');

		this.frames = new Plot(plots, 'Frames', '/s', 1);
		this.memory = new Plot(plots, 'Framebuffer', 'MiB',
			number(vgpu.framebufferMib) || 1);
		this.work = new Plot(plots, 'Work', '%', 100);
		this.last = null;
	}

	update(vgpu, now) {
		this.title.textContent = vgpu.name || vgpu.uuid;
		this.about.textContent = [vgpu.type, vgpu.state, vgpu.failure,
			vgpu.vm && `VM ${vgpu.vm}`, vgpu.name && vgpu.uuid]
			.filter((text) => text).join(' · ');
		for (const head of Array.isArray(vgpu.heads) ? vgpu.heads : []) {
			if (!Number.isInteger(head?.head))
				continue;
			if (!this.pictures.has(head.head))
				this.pictures.set(head.head,
					new Picture(this.heads, vgpu.uuid, head.head));
			if (head.width)
				this.pictures.get(head.head).update();
			else
				this.pictures.get(head.head).show(false);
		}
		const used = number(vgpu.usedBytes);

		this.memory.add(used === null ? null : used / 2 ** 20);
		this.frames.add(this.rate(vgpu, now, 'frames'));
		// Of the GPU's engines where the driver says it, else of processors.
		const ns = this.rate(vgpu, now, 'graphicsNs');
		const usec = this.rate(vgpu, now, 'cpuUsec');

		this.work.add(ns !== null ? ns / 1e7 : usec !== null ? usec / 1e4 : null);
		this.last = {vgpu, now};
	}

	// Of a counter, in a second.
	rate(vgpu, now, name) {
		const before = this.last && number(this.last.vgpu[name]);
		const after = number(vgpu[name]);

		if (!this.last || before === null || after === null || after < before ||
		    now <= this.last.now)
			return null;
		return (after - before) * 1000 / (now - this.last.now);
	}
}

function show(answer) {
	const now = performance.now(), seen = new Set();
	const vgpus = Array.isArray(answer.vgpus) ? answer.vgpus : [];

	document.getElementById('host').textContent =
		`on ${answer.host ?? 'this host'}, as ${answer.user ?? '?'}`;
	for (const vgpu of vgpus) {
		if (typeof vgpu?.uuid !== 'string')
			continue;
		if (!cards.has(vgpu.uuid))
			cards.set(vgpu.uuid, new Card(vgpu));
		cards.get(vgpu.uuid).update(vgpu, now);
		seen.add(vgpu.uuid);
	}
	for (const [uuid, card] of cards) {
		if (!seen.has(uuid)) {
			card.box.remove();
			cards.delete(uuid);
		}
	}
	state.textContent = vgpus.length ? '' : 'There is no vGPU.';
}

async function update() {
	try {
		const reply = await fetch('/vgpus');

		if (reply.ok) {
			show(await reply.json());
		} else {
			state.textContent = await reply.text();
			if (reply.status === 401) {
				list.replaceChildren();
				return;
			}
		}
	} catch (error) {
		state.textContent = 'The web console does not answer.';
	}
	setTimeout(update, PERIOD_MS);
}

document.getElementById('logout').addEventListener('click', async () => {
	await fetch('/logout', {method: 'POST'});
	location.reload();
});
update();
