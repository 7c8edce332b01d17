import { testSessionStore } from "@tessera/session/testing";
import { useRedis } from "./_redis.ts";

const redis = useRedis();

testSessionStore("RedisStore", () => redis().open());
