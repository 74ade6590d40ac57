-- Ends the script of several checks of one bucket each, which have nothing to do with each other:
-- each is decided as if it had come alone, one after the other, and where one cannot be, that is
-- its own answer and nobody else's.
--
-- KEYS     the buckets; one may be there more than once
-- ARGV     from the second on one for each: which of the rules is its own, from 1; then five for each
--          rule: its algorithm (t, s or f), and the rule
--
-- Returns  for each what a check of it alone would return, or its error

local rules = {}
for i = #KEYS + 2, #ARGV, 5 do
  rules[#rules + 1] = rule_at(i)
end

local function check(key, rule)
  local fits, a, b, c, d, e, f = rule.look(key, rule)
  if fits then
    rule.take(key, rule, a, b, c, d, e, f)
  end
  return struct.pack('<ddddd', now, fits and 1 or 0, a, b, c)
end

local answers = {}
for n, key in ipairs(KEYS) do
  local is_decided, answer = pcall(check, key, rules[ARGV[n + 1] + 0])
  if not is_decided and type(answer) == 'string' then
    -- Redis 6.2 says before it where in the script that was.
    answer = { err = string.match(answer, '%u+ .*') or answer }
  end
  answers[n] = answer
end
return answers
