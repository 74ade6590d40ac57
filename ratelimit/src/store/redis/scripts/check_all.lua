-- Ends the script of a check of several buckets: all of the enforced ones admit the request, or
-- nothing is taken from any. One that is not enforced is counted where the request is admitted, but
-- has no say in it.
--
-- KEYS     the buckets, no two of them the same
-- ARGV     from the second on six for each: whether it is enforced (1 or 0), its algorithm (t, s or
--          f), and its rule
--
-- Returns  for each as '<ddddd': now, whether it would admit the request (1 or 0), and the state that
--          it was decided by

local admitted, rules, seen = true, {}, {}
for n, key in ipairs(KEYS) do
  local i = 6 * n - 4
  local rule = rule_at(i + 1)
  rules[n], seen[n] = rule, { rule.look(key, rule) }
  admitted = admitted and (seen[n][1] or ARGV[i] == '0')
end

local answers = {}
for n, key in ipairs(KEYS) do
  local fits, a, b, c, d, e, f = unpack(seen[n])
  if admitted and fits then
    rules[n].take(key, rules[n], a, b, c, d, e, f)
  end
  answers[n] = struct.pack('<ddddd', now, fits and 1 or 0, a, b, c)
end
return answers
