-- Ends the script that takes a slice from one bucket: what is wanted if all of it fits in, else what
-- is needed.
--
-- KEYS[1]  the bucket
-- ARGV     from the second on what the algorithm asks for, once with the cost that is needed and once
--          with the one that is wanted
--
-- Returns  how much is taken (2 for what is wanted, 1 for what is needed, 0 for nothing), now, and the
--          state that it was taken from

local wanted = 2 + (#ARGV - 1) / 2
local taken = 2
local fits, settle, a, b, c = algorithm(KEYS[1], wanted)
if not fits then
  fits, settle, a, b, c = algorithm(KEYS[1], 2)
  taken = fits and 1 or 0
end
settle(fits)
return { taken, now, a, b, c }
