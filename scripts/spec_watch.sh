#!/usr/bin/env bash
# Takes the vendor's pages as they are now, and proposes what follows: a pull request with the report,
# an issue where it is refused, nothing where nothing changed. See .github/workflows/spec-watch.yml.
#
# Environment: PAGES, the addresses; GH_TOKEN, for gh. Run it in a clean checkout of the main branch.
set -euo pipefail
cd "$(dirname "$0")/.."

branch=spec-watch
report=$(mktemp)
trap 'rm -f "$report"' EXIT

# Everything that can be written is proposed: whether it is taken, is for who reads the report.
refused=
make regenerate SPEC="$PAGES" ACCEPT="breaking wrapper overlay" REPORT="$report" || refused=yes

body() { head -c 60000 "$report"; } # a text of GitHub's may have 65536 letters
refusal="The vendor's spec cannot be taken as it is"
issue=$(gh issue list --state open --search "in:title \"$refusal\"" --json number --jq '.[0].number // empty')

if [ -n "$refused" ]; then
  if [ ! -s "$report" ]; then
    echo "spec-watch: it ended before there was a report" >&2
    exit 1
  fi
  if [ -n "$issue" ]; then
    body | gh issue edit "$issue" --body-file -
  else
    body | gh issue create --title "$refusal" --body-file -
  fi
  echo "spec-watch: refused; an issue says why" >&2
  exit 1
fi
if [ -n "$issue" ]; then gh issue close "$issue" --comment "It can be taken again."; fi

if [ -z "$(git status --porcelain)" ]; then
  echo "spec-watch: no change"
  exit 0
fi

known=$(gh pr list --state open --head "$branch" --json number --jq '.[0].number // empty')
theirs= # what the branch is there; nothing, where there is none
if git fetch --quiet origin "$branch" 2>/dev/null; then
  theirs=$(git rev-parse FETCH_HEAD)
  # Read to its end: `grep -q` would leave at the first line, and git, still writing, end as a failure of the pipe.
  others=$(git log --format='<%an>' "HEAD..$theirs" | sed '/^<spec-watch>$/d')
  if [ -n "$others" ]; then
    # Somebody is teaching the wrapper there: that is theirs.
    echo "spec-watch: $branch has the work of others, and is left alone" >&2
    if [ -n "$known" ]; then
      body | gh pr comment "$known" --body-file -
      exit 0
    fi
    # Merged and not deleted, or never proposed: ended well, it would be left so every week, and nobody told.
    echo "spec-watch: no pull request is open for it: open one, or delete the branch" >&2
    exit 1
  fi
fi
title=$(sed -n '3s/\*\*//gp' "$report") # "written: 3 changes: 1 breaking, 2 safe."
title="The vendor's spec: ${title:0:120}"
git switch --quiet --force-create "$branch"
git add --all
git -c user.name=spec-watch -c user.email=spec-watch@users.noreply.github.com \
  commit --quiet --message "$title"
# Only over what was looked at: whoever pushes in between, or a branch that could not be fetched, is not overwritten.
git push --quiet --force-with-lease="$branch:$theirs" origin "$branch"
if [ -n "$known" ]; then
  body | gh pr edit "$known" --title "$title" --body-file -
else
  body | gh pr create --head "$branch" --title "$title" --body-file -
fi
# A push with the workflow's own token starts no checks; this does.
gh workflow run ci.yml --ref "$branch"
