import { expect, test } from "bun:test";

import { isCommonName } from "../../src/config/common-names.ts";

test.each([
  "localhost",
  "localhost.localdomain",
  "raspberrypi",
  "raspberrypi.local",
  "OpenWrt.lan",
])("%s is the name of many machines", (name) => expect(isCommonName(name)).toBe(true));

test.each(["nas", "raspberrypi-attic", "debian.example.com", "my.localhost", "", "ubuntu."])(
  "%p is not",
  (name) => expect(isCommonName(name)).toBe(false),
);
