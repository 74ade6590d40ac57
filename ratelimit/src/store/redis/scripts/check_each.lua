-- Ends the script of several checks of one bucket each, which have nothing to do with each other:
-- each is decided as if it had come alone, one after the other, and where one cannot be, that is
-- its own answer and nobody else's.
--
-- KEYS     the buckets; one may be there more than once
-- ARGV     from the second on one for each: which of the rules is its own, from 1; then five for each
--          rule: its algorithm (t, s or f), and the rule
--
-- Returns  now, and four for each: whether the request is admitted (1 or 0), and the state that it
--          was decided by; or the error, and zeros

local rules = {}
for i = #KEYS + 2, #ARGV, 5 do
  rules[#rules + 1] = rule_at(i)
end

local function check(key, rule)
  local fits, a, b, c, d, e = rule.look(key, rule)
  if fits then
    rule.take(key, rule, a, b, c, d, e)
  end
  return fits and 1 or 0, a, b, c
end

local answer = { now }
for n, key in ipairs(KEYS) do
  local is_decided, fits, a, b, c = pcall(check, key, rules[ARGV[n + 1] + 0])
  if not is_decided then
    local error = fits
    if type(error) == 'string' then
      -- Redis 6.2 says before it where in the script that was.
      error = { err = string.match(error, '%u+ .*') or error }
    end
    fits, a, b, c = error, 0, 0, 0
  end
  local m = 4 * n - 2
  answer[m], answer[m + 1], answer[m + 2], answer[m + 3] = fits, a, b, c
end
return answer
