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

title() { sed -n '3s/\*\*//gp' "$report" | cut -c1-120; } # "written: 3 changes: 1 breaking, 2 safe."

if [ -n "$refused" ]; then
  if [ ! -s "$report" ]; then
    echo "spec-watch: it ended before there was a report" >&2
    exit 1
  fi
  known=$(gh issue list --state open --search 'in:title "The vendor'"'"'s spec cannot be taken"' --json number --jq '.[0].number // empty')
  if [ -n "$known" ]; then
    gh issue edit "$known" --body-file "$report"
  else
    gh issue create --title "The vendor's spec cannot be taken as it is" --body-file "$report"
  fi
  echo "spec-watch: refused; an issue says why" >&2
  exit 1
fi

if [ -z "$(git status --porcelain)" ]; then
  echo "spec-watch: no change"
  exit 0
fi

git switch --quiet --force-create "$branch"
git add --all
git -c user.name=spec-watch -c user.email=spec-watch@users.noreply.github.com \
  commit --quiet --message "The vendor's spec as it is now" --message "$(title)"
git push --quiet --force origin "$branch"
known=$(gh pr list --state open --head "$branch" --json number --jq '.[0].number // empty')
if [ -n "$known" ]; then
  gh pr edit "$known" --title "The vendor's spec: $(title)" --body-file "$report"
else
  gh pr create --head "$branch" --title "The vendor's spec: $(title)" --body-file "$report"
fi
# A push with the workflow's own token starts no checks; this does.
gh workflow run ci.yml --ref "$branch"
