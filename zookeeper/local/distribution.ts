import { access, constants, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** An installed Apache ZooKeeper and the Java to run it. */
export interface Distribution {
  readonly java: string;
  readonly classPath: string;
  /** Where it was found, for a person to read. */
  readonly from: string;
}

export interface DistributionEnvironment {
  readonly ZOOKEEPER_HOME?: string | undefined;
  readonly JAVA_HOME?: string | undefined;
  readonly PATH?: string | undefined;
}

const DEBIAN_JARS = '/usr/share/java';
const INSTALL = 'on Debian or Ubuntu: apt-get install --no-install-recommends';

/**
 * Finds a ZooKeeper server to run: `ZOOKEEPER_HOME`, unpacked from the Apache archive; otherwise the jars of Debian's
 * `libzookeeper-java`. A `ZOOKEEPER_HOME` without a server is an error and not skipped, because it was set on purpose.
 */
export async function findDistribution(env: DistributionEnvironment): Promise<Distribution | { missing: string }> {
  const java = await findJava(env);
  const jars = env.ZOOKEEPER_HOME ? await jarsOfHome(env.ZOOKEEPER_HOME) : await jarsOfDebian();
  if (env.ZOOKEEPER_HOME && !jars) {
    return { missing: `ZOOKEEPER_HOME is ${env.ZOOKEEPER_HOME}, but there is no lib/zookeeper-<version>.jar in it` };
  }
  if (!jars) {
    const packages = java ? 'libzookeeper-java' : 'libzookeeper-java openjdk-17-jre-headless';
    return { missing: `no Apache ZooKeeper is installed; ${INSTALL} ${packages}; elsewhere set ZOOKEEPER_HOME` };
  }
  if (!java) {
    return { missing: `no java in JAVA_HOME or PATH; ${INSTALL} openjdk-17-jre-headless; elsewhere set JAVA_HOME` };
  }
  return { java, ...jars };
}

async function jarsOfHome(home: string) {
  const names = await readdir(join(home, 'lib')).catch(() => [] as string[]);
  if (!names.some((name) => /^zookeeper-\d.*\.jar$/.test(name))) return undefined;
  // conf/ has the logging configuration, without which some versions log every packet.
  return { classPath: `${join(home, 'conf')}:${join(home, 'lib', '*')}`, from: home };
}

async function jarsOfDebian() {
  // The manifest of zookeeper.jar names most of what it needs; the secure port needs two more jars of Netty.
  const names = ['zookeeper', 'slf4j-simple', 'netty-codec', 'netty-resolver'];
  const jars = names.map((name) => join(DEBIAN_JARS, `${name}.jar`));
  const found = await Promise.all(jars.map((jar) => stat(jar).catch(() => undefined)));
  return found[0] ? { classPath: jars.filter((_, at) => found[at]).join(':'), from: DEBIAN_JARS } : undefined;
}

async function findJava(env: DistributionEnvironment): Promise<string | undefined> {
  const folders = (env.PATH ?? '').split(':').filter((folder) => folder.startsWith('/'));
  const candidates = [...(env.JAVA_HOME ? [join(env.JAVA_HOME, 'bin')] : []), ...folders];
  for (const folder of candidates) {
    const java = join(folder, 'java');
    const runs = await access(java, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return java;
  }
  return undefined;
}
