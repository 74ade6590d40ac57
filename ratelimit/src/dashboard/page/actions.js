// ---- Actions --------------------------------------------------------------------------------------

/** Runs one action, and shows either what it gave or the sentence that says why it failed. */
async function act(result, action, tell = () => {}) {
  const alert = result.querySelector('[role="alert"]');
  const status = result.querySelector('[role="status"]');
  if (result.getAttribute('aria-busy') === 'true') return;
  result.setAttribute('aria-busy', 'true');
  alert.textContent = '';
  status?.replaceChildren();
  try {
    const told = tell(await action());
    if (told) status.append(told);
  } catch (error) {
    alert.textContent = error.message;
  } finally {
    result.removeAttribute('aria-busy');
  }
}

async function actOnClient(verb, body) {
  const result = $('client-result');
  await act(result, () => post(`clients/${verb}`, body), answer => clientAnswer(verb, answer));
  result.scrollIntoView({ block: 'nearest', behavior: 'smooth' });
}

/** From the list, the answer is elsewhere on the page: the focus goes there. */
async function actOnListed(verb, client) {
  await actOnClient(verb, { client });
  $('client-result').focus({ preventScroll: true });
}

function clientOfForm(verb) {
  const [client, key] = [$('client-input').value.trim(), $('client-key').value];
  const alert = $('client-result').querySelector('[role="alert"]');
  if ((client === '') === (key === '')) {
    $('client-result').querySelector('[role="status"]').replaceChildren();
    alert.textContent = client === ''
      ? 'Say which client: its address, its id, or its API key.'
      : 'Give either an address or id, or an API key.';
    $('client-input').focus();
    return;
  }
  $('client-key').value = '';
  actOnClient(verb, key === '' ? { client } : { api_key: key });
}

function clientAnswer(verb, { client, buckets }) {
  const name = make('b', { class: 'code', title: client }, shortClient(client));
  const reset = verb === 'reset';
  if (buckets.length === 0) {
    return make('p', {}, name, reset ? ' had its whole quotas already.' : ' has its whole quotas: nothing was taken from them.');
  }
  return make('div', {},
    make('p', {}, name, reset ? ' has its whole quotas again. Before the reset it stood here:' : ' stands here:'),
    make('ul', { class: 'buckets' }, ...buckets.map(bucketLine)));
}

function bucketLine({ policy, tier, algorithm, limit, per_seconds, remaining, reset_seconds, is_corrupt }) {
  const left = make('i');
  left.style.width = `${Math.min(100, remaining / limit * 100)}%`;
  const told = [tier, quota({ limit, per_seconds, burst: null }), algorithmName(algorithm)].join(', ');
  return make('li', {},
    make('div', {}, make('b', { class: 'code' }, policy), ` – ${told}`),
    make('div', { class: 'meter', 'aria-hidden': 'true' }, left),
    make('div', { class: remaining === 0 ? 'warm' : 'soft' },
      is_corrupt ? 'the store holds something else in its place: a reset removes it'
        : `${whole.format(remaining)} left, all back in ${span(reset_seconds)}`));
}

let tiersOffered = '';

function renderTiers() {
  $('tier-form').hidden = !board.tiers_in_store;
  $('tier-elsewhere').hidden = board.tiers_in_store;
  const tiers = [...new Set(board.policies.flatMap(policy => policy.tiers.map(({ name }) => name)))];
  if (tiers.join('\n') === tiersOffered && $('tier-select').length > 0) return;
  tiersOffered = tiers.join('\n');
  const chosen = $('tier-select').selectedOptions[0]?.dataset.tier;
  const options = tiers.map(name => {
    const option = new Option(name, `tier:${name}`, false, name === chosen);
    option.dataset.tier = name;
    return option;
  });
  $('tier-select').replaceChildren(...options, new Option('None: the key becomes unknown', 'none'));
}

function setTier(event) {
  event.preventDefault();
  const tier = $('tier-select').selectedOptions[0].dataset.tier ?? null;
  const api_key = $('tier-key').value;
  $('tier-key').value = '';
  act($('tier-result'), () => post('tier', { api_key, tier }), answer => make('p', {},
    make('b', { class: 'code', title: answer.client }, shortClient(answer.client)),
    answer.tier === null ? ' is unknown now.' : ` has the tier ${answer.tier} now.`));
}

function askForBypass(event) {
  event.preventDefault();
  const minutes = $('bypass-minutes').valueAsNumber;
  $('bypass-consequence').textContent = `For ${plural(minutes, 'minute')}, or until somebody ends it, `
    + 'nobody is limited by any policy: every request passes.';
  $('bypass-asked-for').textContent = $('bypass-reason').value.trim();
  $('bypass-dialog').showModal();
}

async function turnBypassOn() {
  $('bypass-dialog').close();
  const body = { reason: $('bypass-reason').value.trim(), minutes: $('bypass-minutes').valueAsNumber };
  await act($('bypass-result'), () => post('bypass', body), showBypass);
  if (!board?.bypass) return;
  $('bypass-reason').value = '';
  $('bypass-off').focus();
}

async function turnBypassOff() {
  await act($('bypass-banner'), () => post('bypass/off', {}), showBypass);
  if (board && !board.bypass) $('heading').focus();
}

/** Doesn't wait for the next event to show what was just done. */
function showBypass({ bypass }) {
  const before = board;
  board = { ...board, bypass };
  announceChanges(before, board);
  document.title = titleOf(board);
  renderBypass();
}

$('sign-in').addEventListener('submit', signIn);
$('sign-out').addEventListener('click', () => {
  session.forget();
  location.reload();       // so that nothing of what was shown is left in the document
});
$('client-form').addEventListener('submit', event => { event.preventDefault(); clientOfForm('peek'); });
$('client-reset').addEventListener('click', () => clientOfForm('reset'));
$('tier-form').addEventListener('submit', setTier);
$('bypass-form').addEventListener('submit', askForBypass);
$('bypass-cancel').addEventListener('click', () => $('bypass-dialog').close());
$('bypass-confirm').addEventListener('click', turnBypassOn);
$('bypass-off').addEventListener('click', turnBypassOff);
$('chart-policy').addEventListener('change', () => choosePolicy(chosenPolicy()));
setInterval(countDown, 1000);

session.load();
feed.start();
