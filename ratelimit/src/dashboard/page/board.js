// ---- What is shown: signing in, the closed door, or the board ----------------------------------

function show(view) {
  for (const id of ['connecting', 'sign-in', 'closed', 'board']) $(id).hidden = id !== view;
  $('sign-out').hidden = view !== 'board' || session.token === null;
}

/** Away from the board: nothing of it goes on behind what is shown instead. */
function leaveFor(view) {
  feed.stop();
  board = null;
  if ($('bypass-dialog').open) $('bypass-dialog').close();
  document.title = 'Rate limits';
  showConnection('signed-out');
  show(view);
}

function askForToken(message) {
  leaveFor('sign-in');
  $('sign-in-error').textContent = message;
  $('token').focus();
}

function showClosed(message) {
  leaveFor('closed');
  $('closed-reason').textContent = message;
}

function signIn(event) {
  event.preventDefault();
  const token = $('token').value.trim();
  $('sign-in-error').textContent = '';
  if (!/^[\x21-\x7e]+$/.test(token)) {
    $('sign-in-error').textContent = 'A token has only letters, digits and signs of ASCII, and no spaces.';
    return;
  }
  session.token = token;
  feed.start();
}

function showConnection(state) {
  const words = { connecting: 'Connecting…', live: 'Live', lost: 'Connection lost, trying again…',
    polled: 'Updated every few seconds: too many pages are open', 'signed-out': '' };
  setAttribute($('connection'), 'data-state', state);
  setText($('connection'), words[state]);
  $('connection').hidden = state === 'signed-out';
}

/** For screen readers: only what changes the state of the whole, never a figure. */
function announce(sentence) { $('announcements').textContent = sentence; }

// ---- Events -----------------------------------------------------------------------------------

function receive(type, next) {
  if (type !== 'state' && type !== 'tick') return;
  const before = board;
  board = next;
  clockOffset = next.at - Date.now() / 1000;
  if (type === 'state') timeline = new Timeline();
  timeline.take(next.history);
  showConnection('live');
  announceChanges(before, next);
  document.title = titleOf(next);
  if (before === null) {
    $('token').value = '';
    show('board');
  }
  // Nothing is drawn while the tab is hidden, and no more than once a frame.
  if (!renderQueued) requestAnimationFrame(render);
  renderQueued = true;
}

function titleOf({ bypass, store }) {
  if (bypass) return 'BYPASS ON: nobody is limited – Rate limits';
  return store.up ? 'Rate limits' : 'Store down – Rate limits';
}

function announceChanges(before, next) {
  const news = [];
  if (!before?.bypass && next.bypass) {
    news.push(`The bypass is on: nobody is limited. Reason: ${sentence(next.bypass.reason)}`);
  }
  if (before?.bypass && !next.bypass) news.push('The bypass is off: the limits hold again.');
  if ((before?.store.up ?? true) && !next.store.up) news.push('The store is down.');
  if (before && !before.store.up && next.store.up) news.push('The store is up again.');
  if (news.length > 0) announce(news.join(' '));
}

let renderQueued = false;

function render() {
  renderQueued = false;
  if (board === null) return;
  for (const part of [
    renderPlace, renderBypass, renderStore, renderTiles, renderPolicyChoice, renderCharts, renderPolicies, renderTop,
    renderHistory, renderTiers,
  ]) {
    // A value that one part cannot show must not keep the others from being shown.
    try { part(); } catch (error) { console.error(error); }
  }
}

function renderPlace() {
  setText($('place'), `${location.host}${base} – this process has been up for ${duration(board.uptime_seconds)}`);
  const { dashboard_token: tokens, bypass_secret: secrets } = board.wrong_credentials;
  const wrong = [
    ...(tokens > 0 ? [plural(tokens, 'wrong token')] : []), ...(secrets > 0 ? [plural(secrets, 'wrong bypass secret')] : []),
  ];
  $('wrong-credentials').hidden = wrong.length === 0;
  setText($('wrong-credentials'), `Since the start there came ${wrong.join(' and ')}. The log says from where.`);
}

function renderCharts() {
  requestsChart.render();
  checksChart.render();
}

function renderBypass() {
  const { bypass } = board;
  $('bypass-banner').hidden = $('bypass-form').hidden = $('bypass-is-on').hidden = true;
  $(bypass ? 'bypass-banner' : 'bypass-form').hidden = false;
  if (!bypass) return;
  $('bypass-is-on').hidden = false;
  setText($('bypass-why'), bypass.reason);
  setTime($('bypass-since'), bypass.since);
  setTime($('bypass-until'), bypass.until);
  countDown();
}

function countDown() {
  if (!board?.bypass) return;
  const { until } = board.bypass;
  setText($('bypass-left'), until === null ? 'an unknown time' : duration(until - now()));
}

// ---- The store ----------------------------------------------------------------------------------

const inMemory = store => store.kind === 'memory';

function renderStore() {
  const { store } = board;
  const last = store.history.at(-1);
  $('store-banner').hidden = store.up;
  setText($('store-why'), last && !last.up && last.reason ? sentence(last.reason) : `${store.kind} does not answer.`);
  setTime($('store-down-since'), store.since);
  setText($('store-state'), store.up ? 'Up' : 'Down');
  $('store-state').classList.toggle('bad', !store.up);
  const kind = store.kind.charAt(0).toUpperCase() + store.kind.slice(1);
  setText($('store-place'), store.server ? `${kind} at ${store.server}` : kind);
  setText($('store-since'), `for ${duration(now() - store.since)}`);
  setText($('store-outages'), inMemory(store) ? '' : plural(store.outages, 'outage'));
}

function sentence(text) { return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.?$/, '.'); }

let historyShown = '';

function renderHistory() {
  const { store } = board;
  // The day is part of it because the times of another day are told with their date.
  const signature = JSON.stringify([new Date().toDateString(), store.kind, store.history]);
  if (signature === historyShown) return;
  historyShown = signature;
  $('history-empty').hidden = store.history.length > 0;
  setText($('history-empty'), inMemory(store)
    ? 'The counts are kept in the memory of this process: there is no server that could fail.'
    : 'The store has not failed since this process started.');
  const events = store.history.map((event, i) => storeEvent(event, store.history[i - 1]));
  $('store-history').replaceChildren(...events.reverse());
}

function storeEvent({ at, up, reason, server }, before) {
  const time = make('time', { class: 'soft' });
  setTime(time, at);
  const outage = up && before && !before.up ? ` after ${duration(at - before.at)}` : '';
  const state = make('b', { class: up ? 'good' : 'bad' }, up ? `Up${outage}` : 'Down');
  const what = reason ? `. ${sentence(reason)}` : server ? `: ${server}` : '';
  return make('li', {}, time, make('span', {}, state, what));
}

// ---- Tiles --------------------------------------------------------------------------------------

function renderTiles() {
  const { figures, fleet } = board;
  for (const [id, field] of [
    ['limited-per-minute', 'limited_per_minute'],
    ['requests-per-minute', 'requests_per_minute'],
    ['limited-clients', 'limited_clients'],
  ]) {
    setCount($(id), figures[field]);
    renderFleet(id, fleet && count(fleet[field]));
  }
  const share = figures.limited_per_minute / figures.requests_per_minute;
  setText($('limited-share'), share > 0 && share <= 1 ? `${two.format(share * 100)} % of the requests` : '');
  $('limited-per-minute').classList.toggle('warm', figures.limited_per_minute > 0);
  renderChecks(figures, fleet);
}

function renderChecks(figures, fleet) {
  const p50 = of => of && of.p50_seconds !== null ? `p50 ${latency(of.p50_seconds)}` : '';
  setText($('p99'), latency(figures.p99_seconds));
  setText($('p50'), p50(figures));
  renderFleet('p99', fleet && latency(fleet.p99_seconds));
  setText($('fleet-p50'), p50(fleet));
  $('fleet-p99').classList.toggle('over', fleet?.p99_seconds > GOAL);
  const [verdict, colour] = figures.p99_seconds === null ? ['No check was measured.', 'soft']
    : figures.p99_seconds > GOAL ? ['Over the 1 ms line', 'bad'] : ['Under the 1 ms line', 'good'];
  setText($('p99-verdict'), verdict);
  setAttribute($('p99-verdict'), 'class', `small ${colour}`);
}

function renderFleet(id, text) {
  const value = $(`fleet-${id}`);
  value.closest('dd').hidden = text === null;
  setText(value, text ?? '');
}
