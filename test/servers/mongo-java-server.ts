import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installOnce } from './cache.ts';
import { freePort, untilListening } from './free-port.ts';

const version = '1.47.0';
const startMsMax = 120_000;

/** A running server on 127.0.0.1 that is ours alone, its data in memory. */
export interface MongoServer {
  /** `mongodb://127.0.0.1:PORT/?directConnection=true` */
  url: string;
  port: number;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts mongo-java-server, which speaks MongoDB's protocol. It knows no views, capped collections, users, sessions or
 * snapshot reads: it accepts and forgets, or refuses them.
 * @param options replicaSet: it calls itself the one member of it, and keeps an oplog, in which updates are not MongoDB's
 */
export async function startMongoServer({ replicaSet }: { replicaSet?: string } = {}): Promise<MongoServer> {
  const installed = requireMongoServer();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mongo-'));
  const port = await freePort();
  const log = openSync(join(folder, 'log'), 'w');
  const args = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', `${installed}:${installed}/lib/*`];
  const server = spawn('java', [...args, 'Server', String(port), ...(replicaSet ? [replicaSet] : [])], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = once(server, 'exit');
  const kill = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
  };
  const stop = async (): Promise<void> => {
    await kill();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilListening(port, { isGone: () => server.exitCode !== null, waitMsMax: startMsMax });
  } catch (error) {
    const text = readFileSync(join(folder, 'log'), 'utf8');
    await stop();
    throw new Error(`mongo-java-server did not start:\n${text}`, { cause: error });
  }
  return { url: `mongodb://127.0.0.1:${port}/?directConnection=true`, port, kill, stop };
}

/**
 * The deployment that HOLDFAST_TEST_MONGODB names, which is left running; without it a server of ours. Who uses it works
 * in databases of names that nobody else has, and drops them.
 */
export async function startAnyMongo(): Promise<Pick<MongoServer, 'url' | 'stop'>> {
  const url = process.env.HOLDFAST_TEST_MONGODB;
  return url ? { url, stop: async () => {} } : startMongoServer();
}

/** The folder with its jars and our main class, made once. @throws Error with the command that failed */
function requireMongoServer(): string {
  return installOnce(`mongo-java-server-${version}-2`, (target) => {
    writeFileSync(join(target, 'pom.xml'), pom);
    writeFileSync(join(target, 'Server.java'), main);
    run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib'], target);
    run('javac', ['-cp', 'lib/*', 'Server.java'], target);
  });
}

function run(program: string, args: string[], cwd: string): void {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status === 0) return;
  const reason = error?.message ?? stdout + stderr;
  throw new Error(`cannot have mongo-java-server: ${program} ${args.join(' ')}\n${reason}`);
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>holdfast</groupId><artifactId>test-server</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>de.bwaldvogel</groupId><artifactId>mongo-java-server</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
`;

// By itself it announces a wire version (8) that the driver refuses, and no replica set.
const main = `import de.bwaldvogel.mongo.*;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.List;
public class Server {
  public static void main(String[] args) throws Exception {
    boolean isMember = args.length > 1;
    String me = "127.0.0.1:" + args[0];
    MongoBackend backend = new MemoryBackend() {
      public Document handleCommand(Channel channel, String database, String command, Document query) {
        Document reply = super.handleCommand(channel, database, command, query);
        if (isMember && command.equalsIgnoreCase("ismaster"))
          reply.append("setName", args[1]).append("hosts", List.of(me)).append("me", me).append("primary", me);
        return reply;
      }
    };
    backend.version(new MongoVersion() {
      public List<Integer> getVersionArray() { return List.of(5, 0, 0); }
      public int getWireVersion() { return 13; }
    });
    if (isMember) backend.enableOplog();
    new MongoServer(backend).bind("127.0.0.1", Integer.parseInt(args[0]));
    Thread.sleep(Long.MAX_VALUE);
  }
}
`;
