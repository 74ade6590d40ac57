-- Ends the script that takes a slice from one bucket: what is wanted if all of it fits in, else what
-- is needed.
--
-- KEYS[1]  the bucket
-- ARGV     from the second on the rule, once with the cost that is needed and once with the one that
--          is wanted
--
-- Returns  as '<ddddd': now, how much is taken (2 for what is wanted, 1 for what is needed, 0 for
--          nothing), and the state that it was taken from

local rule, taken = rule_at(6), 2
local fits, a, b, c, d, e, f = look(KEYS[1], rule)
if not fits then
  rule = rule_at(2)
  fits, a, b, c, d, e, f = look(KEYS[1], rule)
  taken = fits and 1 or 0
end
if fits then
  take(KEYS[1], rule, a, b, c, d, e, f)
end
return struct.pack('<ddddd', now, taken, a, b, c)
