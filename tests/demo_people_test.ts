/**
 * People in the demo: signing in, devices, and being signed out.
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { describeDevice } from "../examples/demo/device.ts";
import { streamEnd } from "../examples/demo/live.ts";
import { devicesOn, idOn, newDemo, noticesOn, press, see } from "./_demo.ts";

Deno.test("demo signs in with a new id, and lists the devices", async () => {
  const { client } = newDemo();
  const [laptop, phone, stranger] = [client(), client(), client()];
  const before = idOn(await see(laptop));
  await laptop.post("/sign-in", new URLSearchParams({ name: " Ada " }), {
    headers: { "user-agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0" },
  });
  await press(phone, "/sign-in", { name: "Ada" });
  await press(stranger, "/sign-in", { name: "ada" });

  const page = await see(laptop);

  assertNotEquals(idOn(page), before);
  assertStringIncludes(page, "Hello, Ada");
  assertEquals(
    devicesOn(page).sort(),
    [idOn(page), idOn(await see(phone))].sort(),
  );
  assertStringIncludes(page, "Firefox on Windows");
  assertEquals(page.match(/>This one</g)?.length, 1);
  await press(laptop, "/sign-out");
  assertEquals(devicesOn(await see(phone)), [idOn(await see(phone))]);
});

Deno.test("demo takes no empty or endless name, and escapes what it takes", async () => {
  const client = newDemo().client();
  for (const name of ["", "   ", "x".repeat(41)]) {
    await press(client, "/sign-in", { name });
    const page = await see(client);
    assertEquals(noticesOn(page), [
      "Please enter a name of 1 to 40 characters.",
    ]);
    assertEquals(devicesOn(page), []);
  }

  await press(client, "/sign-in", { name: `<script>'"&` });

  const page = await see(client);
  assertStringIncludes(page, "Hello, &#60;script&#62;&#39;&#34;&#38;");
  assert(!page.includes("<script>"));
});

Deno.test("demo signs out one device, or all others, and only one's own", async () => {
  const { client, sessions } = newDemo();
  const [ada, phone, tablet, bob] = [client(), client(), client(), client()];
  for (const device of [ada, phone, tablet]) {
    await press(device, "/sign-in", { name: "Ada" });
  }
  await press(bob, "/sign-in", { name: "Bob" });
  const [phoneId, bobId] = [idOn(await see(phone)), idOn(await see(bob))];

  await press(ada, "/devices/sign-out", { id: bobId });
  await press(bob, "/devices/sign-out", { id: phoneId });
  await press(client(), "/devices/sign-out", { id: phoneId });
  await press(client(), "/devices/sign-out-others");
  await press(ada, "/devices/sign-out", { id: "nonsense" });
  const all = devicesOn(await see(ada));
  await press(ada, "/devices/sign-out", { id: phoneId });
  const two = devicesOn(await see(ada));
  await press(ada, "/devices/sign-out-others");
  const last = await see(ada);

  assertEquals(all.length, 3);
  assertEquals(two.length, 2);
  assert(!two.includes(phoneId));
  assertEquals(devicesOn(last), [idOn(last)]);
  assertEquals(noticesOn(last), ["1 other device is signed out."]);
  assertEquals((await sessions.get(bobId))?.subject, "Bob");
  assertStringIncludes(await see(phone), "Sign in");
});

Deno.test("demo signs itself out when its own device is chosen", async () => {
  const client = newDemo().client();
  await press(client, "/sign-in", { name: "Ada" });

  await press(client, "/devices/sign-out", { id: idOn(await see(client)) });

  assertEquals(client.cookies, []);
});

Deno.test("demo tells an open page that it was signed out", async () => {
  const { client } = newDemo();
  const [here, there] = [client(), client()];
  for (const device of [here, there]) {
    await press(device, "/sign-in", { name: "Ada" });
  }
  const stream = await there.get("/events");
  const id = idOn(await see(there));

  await press(here, "/devices/sign-out", { id });

  assertEquals(stream.headers.get("content-type"), "text/event-stream");
  assertEquals(
    await stream.text(),
    ": open\n\nevent: signed-out\ndata:\n\n",
  );
  // whoever comes back to a stream after that is told at once
  const again = await there.get("/events");
  assertMatch(await again.text(), /^event: signed-out$/m);
});

Deno.test("demo lets go of the session when the page is closed", async () => {
  const client = newDemo().client();
  await press(client, "/sign-in", { name: "Ada" });
  const stream = await client.get("/events");

  await stream.body?.cancel(); // or else a timer is left, and the sanitizer says so

  assertEquals(stream.bodyUsed, true);
});

Deno.test("streamEnd() is silent once the page is closed", async () => {
  const controller = new AbortController();
  const { body } = streamEnd(controller.signal);

  await body?.cancel();

  controller.abort(); // a listener that threw would fail the test
});

Deno.test("describeDevice() names browser and system", () => {
  const chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0";
  const cases = {
    [`Mozilla/5.0 (X11; Linux x86_64) ${chrome} Safari/537.36`]:
      "Chrome on Linux",
    [`Mozilla/5.0 (Windows NT 10.0) ${chrome} Safari/537.36 Edg/140.0`]:
      "Edge on Windows",
    [`Mozilla/5.0 (Linux; Android 10; K) ${chrome} Mobile Safari/537.36`]:
      "Chrome on Android",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1":
      "Safari on iPhone",
    "curl/8.5.0": "curl",
    "": "Some browser",
  };
  for (const [userAgent, device] of Object.entries(cases)) {
    assertEquals(describeDevice(userAgent), device);
  }
});
