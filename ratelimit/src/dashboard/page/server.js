// ---- Requests to the server -----------------------------------------------------------------

const session = {
  key: `dashboard token ${base}`,
  token: null,
  load() { this.token = sessionStorage.getItem(this.key); },
  keep() { if (this.token !== null) sessionStorage.setItem(this.key, this.token); },
  forget() { this.token = null; sessionStorage.removeItem(this.key); },
};

function call(path, options = {}) {
  const headers = { ...options.headers };
  if (session.token !== null) headers.authorization = `Bearer ${session.token}`;
  return fetch(`${api}/${path}`, { cache: 'no-store', ...options, headers });
}

async function errorOf(response) {
  const body = await response.json().catch(() => null);
  return body?.error ?? `The server answered with the status ${response.status}.`;
}

async function post(path, body) {
  const response = await call(path, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  }).catch(() => { throw new Error('The server could not be reached.'); });
  if (response.ok) return response.json();
  const message = await errorOf(response);
  if (response.status === 401) {
    askForToken(message);
    session.forget();
  }
  throw new Error(message);
}

/** Reads server-sent events; EventSource would do it, but cannot send the token. */
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll('\r\n', '\n').split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const event = { type: 'message', data: [] };
      for (const line of block.split('\n')) {
        const [, field, text] = /^(\w*):? ?(.*)$/s.exec(line);
        if (field === 'event') event.type = text;
        if (field === 'data') event.data.push(text);
      }
      if (event.data.length > 0) yield { type: event.type, data: event.data.join('\n') };
    }
  }
}

/** The stream of events, opened again and again until it is stopped. */
const feed = {
  link: null,                                 // the AbortController of the connection, null when stopped
  timer: 0,
  failures: 0,

  start() {
    this.stop();
    this.failures = 0;
    this.open();
  },

  stop() {
    clearTimeout(this.timer);
    this.link?.abort();
    this.link = null;
  },

  async open() {
    const link = this.link = new AbortController();
    // Whatever ends the connection, the server is asked again: only an answer that refuses it stops the feed.
    const outcome = await this.follow(link).catch(error => console.debug('The connection ended:', error));
    if (this.link !== link) return;
    link.abort();
    clearTimeout(this.timer);
    if (outcome === 'again') return this.open();
    showConnection(outcome ?? 'lost');
    const seconds = [1, 2, 4, 5][Math.min(this.failures++, 3)];
    this.timer = setTimeout(() => this.open(), seconds * 1000 * (0.8 + 0.4 * Math.random()));
  },

  /** 'again' if the server has ended the stream for the page to ask for another, 'polled' if it has none to spare. */
  async follow(link) {
    this.watch(link);
    const response = await call('events', { headers: { accept: 'text/event-stream' }, signal: link.signal });
    if (!response.ok) return this.refused(response, link);
    session.keep();
    for await (const event of eventsOf(response)) {
      if (this.link !== link) return;
      this.watch(link);
      this.failures = 0;
      if (event.type === 'again') return 'again';
      receive(event.type, JSON.parse(event.data));
    }
  },

  watch(link) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => link.abort(), SILENCE);
  },

  async refused(response, link) {
    const message = await errorOf(response);
    if (this.link !== link) return;
    if (response.status === 401) {
      // Without a token the form says itself that it wants one.
      askForToken(session.token === null ? '' : message);
      session.forget();
    }
    if (response.status === 403) showClosed(message);
    if (response.status === 503) return this.poll(link);
    // The application may limit its dashboard, too: who looks at the figures waits, who signs in is told.
    if (response.status === 429 && board === null) askForToken(message);
  },

  /** All streams are taken: shows the whole as it is now. */
  async poll(link) {
    const response = await call('state', { signal: link.signal });
    if (!response.ok) return;
    const state = await response.json();
    if (this.link !== link) return;
    session.keep();
    receive('state', state);
    return 'polled';
  },
};
