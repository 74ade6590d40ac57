-- Ends the script of several checks of one bucket each, which have nothing to do with each other:
-- each is decided as if it had come alone, one after the other, and where one cannot be, that is
-- its own answer and nobody else's.
--
-- KEYS     the buckets, those with the same rule next to each other
-- ARGV     from the second on six for each rule: how many buckets have it, its algorithm (t, s or f),
--          and the rule
--
-- Returns  for each what a check of it alone would return, or its error; where there is none, all
--          answers as one string

-- An answer is five numbers, and all of them are made into one string at the end: to make a string of
-- each takes Redis longer, and is done only where some are errors.
local keys, numbers, answers, n, is_failed = KEYS, {}, {}, 0, false

-- Decides those after the n-th.
local function check_until(last, rule)
  local look, take = rule.look, rule.take
  while n < last do
    n = n + 1
    local key = keys[n]
    local fits, a, b, c, d, e, f = look(key, rule)
    if fits then
      take(key, rule, a, b, c, d, e, f)
    end
    -- In order, as an array grows.
    local at = 5 * n
    numbers[at - 4] = now
    numbers[at - 3] = fits and 1 or 0
    numbers[at - 2] = a
    numbers[at - 1] = b
    numbers[at] = c
  end
end

local last = 0
for i = 2, #ARGV, 6 do
  local rule = rule_at(i + 1)
  last = last + ARGV[i]
  while n < last do
    local is_decided, answer = pcall(check_until, last, rule)
    if not is_decided then
      if type(answer) == 'string' then
        -- Redis 6.2 says before it where in the script that was.
        answer = { err = string.match(answer, '%u+ .*') or answer }
      end
      answers[n], is_failed = answer, true
    end
  end
end
if not is_failed then
  return struct.pack('<' .. string.rep('d', 5 * n), unpack(numbers))
end
for i = 1, n do
  answers[i] = answers[i] or struct.pack('<ddddd', unpack(numbers, 5 * i - 4, 5 * i))
end
return answers
