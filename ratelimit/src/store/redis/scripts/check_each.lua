-- Ends the script of several checks of one bucket each, which have nothing to do with each other:
-- each is decided as if it had come alone, one after the other, and where one cannot be, that is
-- its own answer and nobody else's.
--
-- KEYS     the buckets; one may be there more than once
-- ARGV     from the second on five for each: its algorithm (t, s or f), and four for what the
--          algorithm asks for
--
-- Returns  for each whether the request is admitted (1 or 0), now, and the state that it was decided
--          by; or the error

local algorithms = { t = token_bucket, s = sliding_window, f = fixed_window }

local function check(key, i)
  local admitted, settle, a, b, c = algorithms[ARGV[i]](key, i + 1)
  settle(admitted)
  return { admitted and 1 or 0, now, a, b, c }
end

local answers = {}
for n, key in ipairs(KEYS) do
  local _, answer = pcall(check, key, 5 * n - 3)
  if type(answer) == 'string' then
    -- An error. Redis 6.2 says before it where in the script that was.
    answer = { err = string.match(answer, '%u+ .*') or answer }
  end
  answers[n] = answer
end
return answers
