// A product that receives hand-offs: `node receiver.cjs LIBRARY PORT SECRET`, where the library is standardwebhooks or svix.
// It answers 200 to what the library verifies and 401 to all else, and prints a line of JSON for each request.
const { createServer } = require("node:http");

const [library, port, secret] = process.argv.slice(2);
const { Webhook } = require(library);

function verify(body, headers) {
  try {
    return { delivery: new Webhook(secret).verify(body, headers) };
  } catch (error) {
    return { error: `${error.constructor.name}: ${error.message}` };
  }
}

createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString();
    const verdict = verify(body, request.headers);
    console.log(JSON.stringify({ ...verdict, body, headers: request.headers }));
    response.writeHead(verdict.error ? 401 : 200).end();
  });
}).listen(Number(port), "127.0.0.1");
