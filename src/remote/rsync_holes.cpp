#include "remote/rsync_holes.hpp"

#include <array>

#include "re/sys/child.hpp"
#include "re/sys/paths.hpp"
#include "remote/rsync_output.hpp"

namespace re::remote {

namespace {

using State = Finding::State;

// One of each release that mends what a malicious sender can do to the rsync that receives from it over a
// remote shell (https://download.samba.org/pub/rsync/NEWS). The holes of the daemon are left out.
struct Hole {
  RsyncVersion mended;
  std::string_view cve;
  std::string_view what;
};
constexpr std::array k_holes = {
    Hole{{3, 2, 5}, "CVE-2022-29154", "write files that were not asked for"},
    Hole{{3, 4, 0}, "CVE-2024-12087", "write outside of the destination"},
    Hole{{3, 4, 3}, "CVE-2026-43620", "crash it"},
    Hole{{3, 5, 0}, "CVE-2026-70458", "write outside of its memory"},
};

constexpr const char* k_install = "apt-get install rsync (dnf, brew)";

// A program that is not there, or fails, says nothing.
std::string output_of(const std::vector<std::string>& arguments) {
  if (!sys::find_program(arguments.front(), sys::process_environment())) return {};
  auto captured = sys::run_captured(arguments);
  return captured.status.succeeded() ? std::move(captured.output) : std::string();
}

std::string package_changelog() {
  std::string text = output_of({"gzip", "-dc", "/usr/share/doc/rsync/changelog.Debian.gz"});
  if (text.empty()) text = output_of({"rpm", "-q", "--changelog", "rsync"});
  return text;
}

}  // namespace

Finding judge_local_rsync(std::string_view version_text, std::string_view changelog) {
  const auto version = parse_rsync_version(version_text);
  if (!version) {
    const bool is_there = !version_text.empty();
    return {"rsync", State::failed,
            is_there ? "another program of that name" : "not there: no file can be copied", k_install};
  }
  std::string shown = to_string(*version);
  if (*version < k_oldest_rsync)
    return {"rsync", State::failed, shown + " is too old", "install rsync 3.5.0 or newer"};
  const Hole* worst = nullptr;
  for (const auto& hole : k_holes) {
    if (worst == nullptr && *version < hole.mended && changelog.find(hole.cve) == std::string_view::npos)
      worst = &hole;
  }
  if (worst == nullptr) return {"rsync", State::ok, std::move(shown), ""};
  shown += ": a host that you pull from could make it " + std::string(worst->what) + " (" +
           std::string(worst->cve) + ")";
  if (*version < k_oldest_rsync_for_pull) shown += "; therefore re refuses to pull";
  return {"rsync", State::warning, std::move(shown),
          "upgrade to rsync " + to_string(k_holes.back().mended) + ", or to your system's mended package"};
}

Finding examine_local_rsync() {
  const std::string version = output_of({"rsync", "--version"});
  return judge_local_rsync(version, version.empty() ? std::string() : package_changelog());
}

}  // namespace re::remote
