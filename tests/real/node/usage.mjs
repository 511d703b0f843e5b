// Sends the items on standard input with the guide's own code, whose file is the first argument.
import { readFileSync } from "node:fs";
const [, , guide, siteUrl, token] = process.argv;
const { send } = await import(guide);
const items = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(await send(siteUrl, token, items)));
