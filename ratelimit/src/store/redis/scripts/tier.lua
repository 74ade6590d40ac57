-- An error is returned as it is: its code says that the key is no hash, or which permission is missing.
local tier = redis.pcall('HGET', KEYS[1], ARGV[1])
if type(tier) ~= 'string' then
    return tier
end
return string.sub(tier, 1, tonumber(ARGV[2]))
