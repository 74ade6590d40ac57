// ---- Policies -----------------------------------------------------------------------------------

const policyRows = new Rows($('policies').tBodies[0], policy => {
  const name = make('button', { class: 'name', type: 'button', title: 'Show only this policy in the chart' }, policy.name);
  name.addEventListener('click', () => choosePolicy(chosenPolicy() === policy.name ? '' : policy.name));
  const badge = make('span', { class: 'badge', title: 'The policy counts, but limits nobody' }, 'shadow');
  const place = make('div', { class: 'small soft code' }, policy.file ? `${policy.file}:${policy.line}` : 'made while the program runs');
  const limits = make('td', { role: 'cell', class: 'limits', 'data-label': 'Limits' });
  const requests = make('span');
  const limited = make('span');
  const shadow = make('div', { class: 'small soft' });
  const line = draw('path', { class: 'line limited-line' });
  const shadowLine = draw('path', { class: 'line shadow-line' });
  const spark = draw('svg', { class: 'spark', viewBox: '0 0 120 28', 'aria-hidden': 'true' },
    draw('path', { class: 'base', d: 'M0 26.5H120' }), line, shadowLine);
  const allowed = make('div');
  const others = make('div', { class: 'small soft' });
  const element = make('tr', { role: 'row' },
    make('th', { scope: 'row', role: 'rowheader' }, name, badge, place),
    limits,
    make('td', { role: 'cell', class: 'number', 'data-label': 'Requests, last minute' }, requests),
    make('td', { role: 'cell', class: 'number', 'data-label': '429s, last minute' }, make('div', {}, limited, shadow)),
    make('td', { role: 'cell', 'data-label': '429s, five minutes' }, spark),
    make('td', { role: 'cell', class: 'number', 'data-label': 'Since the start' }, make('div', {}, allowed, others)));
  let limitsShown = '';

  function update({ algorithm, shadow: inShadow, tiers, totals }) {
    badge.hidden = !inShadow;
    setAttribute(name, 'aria-pressed', chosenPolicy() === policy.name);
    const wanted = JSON.stringify([algorithm, tiers]);
    if (wanted !== limitsShown) limits.replaceChildren(limitsText(algorithm, tiers));
    limitsShown = wanted;
    const counts = timeline.of(policy.name);
    const minute = lastMinute(counts.limited);
    setCount(requests, lastMinute(counts.requests));
    setCount(limited, minute);
    limited.classList.toggle('warm', minute > 0);
    const would = lastMinute(counts.shadow);
    setText(shadow, would > 0 ? `${whole.format(would)} in shadow` : '');
    renderSpark(line, shadowLine, counts);
    setText(allowed, `${whole.format(totals.allowed)} allowed`);
    setText(others, otherTotals(totals));
  }
  return { element, update };
});

function limitsText(algorithm, tiers) {
  const lines = tiers.map(tier => make('div', {}, make('span', { class: 'soft' }, `${tier.name} `), quota(tier)));
  return make('div', {}, ...lines, make('div', { class: 'small soft' }, algorithmName(algorithm)));
}

function otherTotals({ limited, shadow, exempt, bypassed, store_error }) {
  const parts = [
    [limited, 'limited'], [shadow, 'in shadow'], [exempt, 'exempt'], [bypassed, 'bypassed'], [store_error, 'without the store'],
  ];
  return parts.filter(([n], i) => n > 0 || i === 0).map(([n, words]) => `${whole.format(n)} ${words}`).join(', ');
}

/** Five seconds to a point: more would not be seen at this size. */
function renderSpark(line, shadowLine, { limited, shadow }) {
  const [some, would] = [limited, shadow].map(series =>
    Array.from({ length: 60 }, (_, i) => total(series.slice(i * 5, i * 5 + 5))));
  const max = Math.max(1, ...some, ...would);
  const path = values => total(values) === 0 ? '' : linePath(values, i => i / 59 * 120, value => 26.5 - value / max * 25);
  setAttribute(line, 'd', path(some));
  setAttribute(shadowLine, 'd', path(would));
}

function renderPolicies() {
  $('policies').hidden = board.policies.length === 0;
  $('policies-empty').hidden = board.policies.length > 0;
  policyRows.sync(board.policies, ({ name, file, line }) => `${name} ${file}:${line}`);
}

// ---- The most limited clients ---------------------------------------------------------------------

let mostLimited = 1;       // what the longest bar stands for

const topRows = new Rows($('top-clients').tBodies[0], ({ client }) => {
  const name = make('span', { class: 'code', title: client }, shortClient(client));
  const bar = make('div', { class: 'share' });
  const count = make('span');
  const acts = make('td', { role: 'cell', class: 'acts' });
  // The clipboard is only there on https and on localhost.
  if (navigator.clipboard) acts.append(copyButton(client));
  acts.append(
    actButton('Look', `Look at ${client}`, () => actOnListed('peek', client)),
    actButton('Reset', `Reset ${client}`, () => actOnListed('reset', client)));
  const element = make('tr', { role: 'row' },
    make('th', { scope: 'row', role: 'rowheader' }, name, bar),
    make('td', { role: 'cell', class: 'number', 'data-label': '429s' }, count),
    acts);

  function update({ limited }) {
    setCount(count, limited);
    bar.style.width = `${(limited / mostLimited * 100).toFixed(1)}%`;
  }
  return { element, update };
});

function actButton(text, label, act) {
  const button = make('button', { class: 'plain', type: 'button', 'aria-label': label }, text);
  button.addEventListener('click', act);
  return button;
}

function copyButton(client) {
  const button = actButton('Copy', `Copy ${client}`, async () => {
    const done = await navigator.clipboard.writeText(client).then(() => true, () => false);
    setText(button, done ? 'Copied' : 'Not copied');
    setTimeout(() => setText(button, 'Copy'), 1500);
  });
  return button;
}

let topTouched = 0;        // when somebody last was at the table, in milliseconds

function renderTop() {
  // Rows don't move away from under someone who is about to press a button in them.
  if (Date.now() - topTouched < 4000) return;
  $('top-clients').hidden = board.top.length === 0;
  $('top-empty').hidden = board.top.length > 0;
  mostLimited = Math.max(1, ...board.top.map(({ limited }) => limited));
  topRows.sync(board.top, ({ client }) => client);
}

for (const type of ['pointermove', 'keydown', 'focusin']) {
  $('top-clients').addEventListener(type, () => { topTouched = Date.now(); }, { passive: true });
}
