// The activate step of a test's agent: restarts one instance of the test's service and waits for that.
import { get } from 'node:http';

const [, , port, name] = process.argv;
get(`http://127.0.0.1:${port}/${name}/${process.env.GITFLEET_COMMIT}`, (answer) => {
  answer.resume();
  answer.on('end', () => process.exit(answer.statusCode === 200 ? 0 : 1));
}).on('error', () => process.exit(1));
