-- Ends the script of a check of several buckets: all of the enforced ones admit the request, or
-- nothing is taken from any. One that is not enforced is counted where the request is admitted, but
-- has no say in it.
--
-- KEYS     the buckets, no two of them the same
-- ARGV     from the second on six for each: its algorithm (t, s or f), whether it is enforced (1 or
--          0), and four for what the algorithm asks for
--
-- Returns  for each whether it would admit the request (1 or 0), now, and the state that it was
--          decided by

local algorithms = { t = token_bucket, s = sliding_window, f = fixed_window }
local admitted, settles, answers = true, {}, {}
for n, key in ipairs(KEYS) do
  local i = 6 * n - 4
  local fits, settle, a, b, c = algorithms[ARGV[i]](key, i + 2)
  admitted = admitted and (fits or ARGV[i + 1] == '0')
  settles[n], answers[n] = settle, { fits and 1 or 0, now, a, b, c }
end
for n, settle in ipairs(settles) do
  settle(admitted and answers[n][1] == 1)
end
return answers
