// SPDX-License-Identifier: GPL-2.0-or-later
// The console of a head, by noVNC, which is the host's and may not be there.
'use strict';

const AGAIN_MS = 1000, AGAIN_MAX_MS = 10000;

const query = new URLSearchParams(location.search);
const vgpu = query.get('vgpu') ?? '';
const head = Number(query.get('head') ?? 0);
const screen = document.getElementById('screen');
const state = document.getElementById('state');
const fit = document.getElementById('fit');
const ask = document.getElementById('ask');
let rfb = null, again = AGAIN_MS;

function say(text) {
	state.textContent = text;
}

// False: it makes no sense to try again.
async function explain() {
	try {
		const reply = await fetch('/vgpus');

		if (reply.status === 401) {
			say('The session has ended: make another link with "vgpuctl console".');
			return false;
		}
		if (!reply.ok) {
			say(await reply.text());
			return true;
		}
		const {vgpus} = await reply.json();
		const found = vgpus.find((one) => one.uuid === vgpu);

		if (!found) {
			say('There is no such vGPU.');
			return true;
		}
		document.getElementById('name').textContent =
			`${found.name || found.uuid}, head ${head}`;
		document.title = found.name || found.uuid;
		say('Connecting …');
	} catch (error) {
		say('The web console does not answer.');
	}
	return true;
}

async function connect(RFB) {
	if (!await explain())
		return;
	const url = new URL('/vnc', location.href);

	url.protocol = url.protocol.replace('http', 'ws');
	url.search = new URLSearchParams({vgpu, head});
	rfb = new RFB(screen, url.href, {shared: true});
	rfb.scaleViewport = true;
	rfb.resizeSession = fit.checked;
	rfb.addEventListener('connect', () => {
		again = AGAIN_MS;
		say('');
		rfb.focus();
	});
	rfb.addEventListener('credentialsrequired', () => {
		ask.hidden = false;
		document.getElementById('password').focus();
	});
	rfb.addEventListener('securityfailure', () => say('Wrong password.'));
	rfb.addEventListener('disconnect', () => {
		rfb = null;
		ask.hidden = true;
		setTimeout(() => connect(RFB), again);
		again = Math.min(again * 2, AGAIN_MAX_MS);
	});
}

async function start() {
	let RFB;

	try {
		RFB = (await import('/novnc/core/rfb.js')).default;
	} catch (error) {
		say('noVNC is not installed on this host: its Debian package is "novnc".');
		return;
	}
	connect(RFB);
}

ask.addEventListener('submit', (event) => {
	const field = document.getElementById('password');

	event.preventDefault();
	ask.hidden = true;
	rfb?.sendCredentials({password: field.value});
	field.value = '';
});
fit.addEventListener('change', () => {
	if (rfb)
		rfb.resizeSession = fit.checked;
});
document.getElementById('keys').addEventListener('click', () => {
	rfb?.sendCtrlAltDel();
	rfb?.focus();
});
document.getElementById('full').addEventListener('click', () => {
	screen.requestFullscreen();
	rfb?.focus();
});
start();
