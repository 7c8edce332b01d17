/**
 * The scripts of the store. Redis runs a script as one step: nobody sees half
 * of it.
 *
 * Some keys are made within the script, from the first one given, so that a
 * prefix that the client adds is on them too. They share its hash slot if the
 * prefix holds a hash tag, as the default does.
 *
 * @module
 */

import { RedisScript } from "./_redis_client.ts";
import { VERSION_START } from "./_redis_value.ts";

/**
 * How many entries of an index, taken at random, are looked at for each that is
 * added. So in the long run a quarter at most are of records that are gone.
 */
const SAMPLES = 4;

/**
 * Commits: 1 if all checks held, otherwise 0.
 *
 * - `KEYS`: the index of all records; the record of each check; record and
 *   subject index (if any) of each put and of each delete.
 * - `ARGV`: the number of checks, puts and deletes; the start of the channels;
 *   the version of each check, with the quote that ends it, empty for none; id,
 *   whether there is a subject, lifetime and value of each put; id and whether
 *   there is a subject of each delete.
 *
 * An error does not undo what a script has done. So the indexes come first,
 * where a key of another type may be in the way, and then the records.
 */
export const COMMIT_SCRIPT: RedisScript = new RedisScript(`
local k, a = 1, 4
local function key() k = k + 1 return KEYS[k] end
local function arg() a = a + 1 return ARGV[a] end
local ids = KEYS[1]
local records = string.sub(ids, 1, -2) .. ':'

for _ = 1, tonumber(ARGV[1]) do
  local expected = arg()
  local last = ${VERSION_START} + math.max(#expected, 1) - 1
  if redis.call('GETRANGE', key(), ${VERSION_START}, last) ~= expected then
    return 0
  end
end

local grown = {}
local function enter(index, id, lifetime)
  if redis.call('ZADD', index, 0, id) == 1 then grown[#grown + 1] = index end
  if redis.call('PTTL', index) < tonumber(lifetime) then
    redis.call('PEXPIRE', index, lifetime)
  end
end

local puts, deletes = {}, {}
for i = 1, tonumber(ARGV[2]) do
  local record, id, subject = key(), arg(), arg() == '1' and key()
  local put = { key = record, id = id, lifetime = arg(), value = arg() }
  puts[i] = put
  enter(ids, id, put.lifetime)
  if subject then enter(subject, id, put.lifetime) end
end
for i = 1, tonumber(ARGV[3]) do
  local gone = { key = key(), id = arg() }
  deletes[i] = gone
  redis.call('ZREM', ids, gone.id)
  if arg() == '1' then redis.call('ZREM', key(), gone.id) end
end

for _, put in ipairs(puts) do
  redis.call('SET', put.key, put.value, 'PX', put.lifetime)
  redis.pcall('PUBLISH', ARGV[4] .. put.id, '')
end
for _, gone in ipairs(deletes) do
  if redis.call('DEL', gone.key) == 1 then
    redis.pcall('PUBLISH', ARGV[4] .. gone.id, '')
  end
end

for _, index in ipairs(grown) do
  for _, id in ipairs(redis.call('ZRANDMEMBER', index, ${SAMPLES})) do
    if redis.call('EXISTS', records .. id) == 0 then
      redis.call('ZREM', index, id)
    end
  end
end
return 1
`);

/**
 * Lists: where to go on (empty: nowhere), then ids and values in turns.
 *
 * - `KEYS`: the index of all records, the index to list.
 * - `ARGV`: what the ids must be below, as `ZRANGE` wants it; how many to take.
 *
 * Entries whose records are gone are left out, and removed.
 */
export const LIST_SCRIPT: RedisScript = new RedisScript(`
local index, count = KEYS[2], tonumber(ARGV[2])
local records = string.sub(KEYS[1], 1, -2) .. ':'
local found = redis.call(
  'ZRANGE', index, ARGV[1], '-', 'BYLEX', 'REV', 'LIMIT', 0, count
)
local reply = { #found == count and found[count] or '' }
for _, id in ipairs(found) do
  local value = redis.call('GET', records .. id)
  if value then
    reply[#reply + 1] = id
    reply[#reply + 1] = value
  else
    redis.call('ZREM', index, id)
  end
end
return reply
`);
