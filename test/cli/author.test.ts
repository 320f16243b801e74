import { userInfo } from 'node:os';
import { expect, it } from 'vitest';
import { author } from '../../cli/shell/author.ts';

it.each([
  ['the one that is given', { GITFLEET_AUTHOR: 'ann', SUDO_USER: 'bob', GITHUB_ACTOR: 'carl' }, 'ann'],
  ['the pusher, on a git host', { GL_USERNAME: 'ann' }, 'ann'],
  ['who started the job, on GitHub and Gitea', { GITHUB_ACTOR: 'ann', SUDO_USER: 'runner' }, 'ann'],
  ['who started the job, on GitLab', { GITLAB_USER_LOGIN: 'ann' }, 'ann'],
  ['the person behind sudo', { SUDO_USER: 'ann' }, 'ann'],
  ['the next one where a variable is empty', { GITFLEET_AUTHOR: '', SUDO_USER: 'ann' }, 'ann'],
  ['the user of the process where nothing else is said', {}, userInfo().username],
])('the author of a deployment is %s', (_, env, who) => {
  expect(author(env)).toBe(who);
});
