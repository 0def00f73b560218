// SPDX-License-Identifier: GPL-2.0-or-later
// Uses a link: what follows '#' in it was not sent to anybody yet.
'use strict';

const state = document.getElementById('state');

async function logIn() {
	const token = location.hash.slice(1);

	history.replaceState(null, '', '/login');
	if (!/^[0-9a-f]{64}$/.test(token)) {
		state.textContent = 'This is no link: make one with "vgpuctl console".';
		return;
	}
	try {
		const reply = await fetch('/login', {method: 'POST', body: token});
		const text = await reply.text();

		if (reply.ok && text.startsWith('/') && !text.startsWith('//'))
			location.replace(text);
		else
			state.textContent = `Not logged in: ${text.trim()}. ` +
				'Make another link with "vgpuctl console".';
	} catch (error) {
		state.textContent = 'Not logged in: the web console does not answer.';
	}
}

logIn();
