#include "re/remote/rsync.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>

#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "remote/block_upload.hpp"
#include "remote/large_files.hpp"
#include "remote/rsync_process.hpp"
#include "remote/scripts.hpp"

namespace re::remote {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds k_question_deadline{30};

void require_relative(const std::string& path) {
  const auto parts = split(path, '/');
  const bool climbs = std::find(parts.begin(), parts.end(), "..") != parts.end();
  if (path.empty() || path.starts_with('/') || climbs || path.find('\0') != std::string::npos) {
    throw Error(ErrorKind::usage, "\"" + path + "\" is no path inside the project");
  }
}

RsyncPlace receiving_place(std::string directory, Preview preview) {
  return {{std::move(directory)}, preview == Preview::yes ? "preview" : "make", Direction::push};
}

// A path cut at its last component: "a/b" is {"a", "b"}, "a/b/" and "a/.." are all directory.
struct SplitPath {
  std::string directory;
  std::string name;  // empty: the directory's contents are meant
};

SplitPath split_path(const std::string& path) {
  const auto slash = path.rfind('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == ".." || path == "~") return {path, ""};
  if (slash == std::string::npos) return {".", std::move(name)};
  return {slash == 0 ? "/" : path.substr(0, slash), std::move(name)};
}

Async<bool> is_remote_directory(Host& host, std::string path) {
  ScriptCall call{scripts::transfer, "re_is_directory", {}};
  call.arguments.push_back(std::move(path));
  const Answer answer = co_await host.run(std::move(call), k_question_deadline);
  co_return answer.outcome.code == 0;
}

bool is_single_file(const std::vector<std::string>& sources) {
  if (sources.size() != 1 || sources[0].ends_with('/')) return false;
  const auto status = fs::symlink_status(sources[0]);
  return fs::exists(status) && !fs::is_directory(status);
}

bool are_files(const std::vector<std::string>& sources) {
  return std::all_of(sources.begin(), sources.end(), [](const std::string& source) {
    return fs::is_regular_file(fs::symlink_status(source));
  });
}

// Gives the one file its new name on this side: rsync would expand wildcards in a destination's name, so it
// is never told one. `alias` is a link to the file, which rsync is told to follow; a link is copied instead.
RsyncCommand renaming(const std::string& source, const fs::path& alias) {
  RsyncCommand command;
  if (fs::is_symlink(fs::symlink_status(source))) {
    fs::copy_symlink(source, alias);
  } else {
    fs::create_symlink(fs::absolute(source), alias);
    command.arguments.emplace_back("--copy-links");
  }
  command.directory = alias.parent_path();
  command.arguments.push_back(local_argument(alias.filename().string()));
  return command;
}

RsyncCommand sending(const std::vector<std::string>& sources) {
  RsyncCommand command;
  for (const auto& source : sources) command.arguments.push_back(local_argument(source));
  return command;
}

// As far as the host can take them so.
Async<BlockReport> send_large_files(Host& host, const std::vector<LargeFile>& files, const BlockPlace& place,
                                    const TransferOptions& options, Progress& progress) {
  BlockReport all;
  BlockOptions blocks{options.block, options.io_timeout, 0, 0};
  for (const auto& file : files) blocks.total += file.size;
  for (const auto& file : files) {
    BlockPlace at = place;
    if (at.path.empty()) at.path = file.path;
    const auto report = co_await upload_in_blocks(host, file, std::move(at), blocks, progress);
    if (!report) continue;
    ++all.files;
    all.sent += report->sent;
    all.kept += report->kept;
    blocks.done_before += file.size;
  }
  co_return all;
}

TransferReport with_blocks(TransferReport report, const BlockReport& blocks) {
  report.files_transferred += blocks.files;
  report.literal_bytes += blocks.sent;
  report.matched_bytes += blocks.kept;
  report.bytes_sent += blocks.sent;
  return report;
}

void require_sources(const std::vector<std::string>& sources) {
  if (sources.empty()) throw Error(ErrorKind::usage, "nothing to push was named");
  for (const auto& source : sources) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(source, error))) {
      throw Error(ErrorKind::not_found, source + ": no such file or directory");
    }
  }
}

// The pattern under which rsync 3.2.5 to 3.5.0 take exactly this name from a sender (exclude.c,
// add_implied_include). They read what is asked for as a shell would: a backslash escapes a wildcard, and is
// itself otherwise. Before 3.5.0 one at the end was lost, so the narrowest class that has it stands there.
std::string exact_pattern(const std::string& name) {
  const std::size_t last = name.find_last_not_of('\\');
  const std::size_t end = last == std::string::npos ? 0 : last + 1;
  std::string pattern;
  for (std::size_t at = 0; at < end; ++at) {
    const char letter = name[at];
    const bool was_backslash = at > 0 && name[at - 1] == '\\';
    const bool is_special =
        letter == '*' || letter == '?' || letter == '[' || (letter == ']' && was_backslash);
    if (is_special) pattern += '\\';
    pattern += letter;
  }
  for (std::size_t at = end; at < name.size(); ++at) pattern += "[[-^]";
  return pattern;
}

}  // namespace

Async<TransferReport> sync_files(Host& host, SyncRequest request, TransferOptions options,
                                 Progress& progress) {
  RsyncCommand command;
  command.directory = request.root;
  command.arguments = {"--files-from=-", "--from0"};
  if (request.compare == Compare::content) command.arguments.emplace_back("--checksum");
  // Without --force: a directory that is gone here may hold what only the remote has.
  if (request.absent == Absent::remove) command.arguments.emplace_back("--delete-missing-args");
  command.arguments.emplace_back("./");
  command.arguments.emplace_back("re:./");
  for (const auto& path : request.paths) {
    require_relative(path);
    command.names += "./" + path;
    command.names += '\0';
  }
  command.place = receiving_place(request.remote_directory, options.preview);
  command.options = std::move(options);
  progress.step("syncing to " + host.name());
  RsyncEnd end = co_await run_rsync(host, std::move(command), progress);
  co_return std::move(end.report);
}

Async<TransferReport> push(Host& host, std::vector<std::string> sources, std::string destination,
                           TransferOptions options, Progress& progress) {
  require_sources(sources);
  const SplitPath target = split_path(destination);
  bool renames = is_single_file(sources) && !target.name.empty();
  std::vector<LargeFile> large;
  if (options.preview == Preview::no) large = find_large_files(sources, options.large_file);
  progress.step("sending to " + host.name());
  BlockReport in_blocks;
  if (!large.empty()) {
    const Destination asked = renames ? Destination::file : Destination::directory;
    const Unsent unsent = co_await find_unsent(host, destination, asked, std::move(large));
    renames = unsent.destination == Destination::file;
    const BlockPlace place =
        renames ? BlockPlace{target.directory, target.name} : BlockPlace{destination, ""};
    in_blocks = co_await send_large_files(host, unsent.files, place, options, progress);
  } else if (renames) {
    const bool is_directory = co_await is_remote_directory(host, destination);
    renames = !is_directory;
  }
  TransferReport report;
  if (in_blocks.files == sources.size() && are_files(sources)) {  // rsync would find nothing to do
    report.total_size = in_blocks.sent + in_blocks.kept;
    report = with_blocks(std::move(report), in_blocks);
    co_return report;
  }
  const sys::TemporaryDirectory scratch("re-push");
  RsyncCommand command = renames ? renaming(sources[0], scratch.path() / target.name) : sending(sources);
  command.arguments.emplace_back("--recursive");
  command.arguments.emplace_back("re:./");
  command.place = receiving_place(renames ? target.directory : destination, options.preview);
  command.options = std::move(options);
  // What was sent in blocks it finds in place, and gives it what else a file has.
  RsyncEnd end = co_await run_rsync(host, std::move(command), progress);
  report = with_blocks(std::move(end.report), in_blocks);
  co_return report;
}

Async<std::optional<PullReport>> pull(Host& host, std::vector<std::string> candidates,
                                      std::string destination, TransferOptions options, Progress& progress) {
  const SplitPath wanted = split_path(candidates.at(0));
  RsyncCommand command;
  command.arguments = {"--recursive", "--safe-links", "--chmod=Fu-s,Fg-s"};
  command.arguments.push_back("re:./" + exact_pattern(wanted.name));
  command.arguments.push_back(local_argument(destination.empty() ? "." : destination));
  command.place = {{}, wanted.name, Direction::pull};
  for (const auto& candidate : candidates)
    command.place.directories.push_back(split_path(candidate).directory);
  const fs::path parent = fs::path(destination).parent_path();
  if (options.preview == Preview::no && !parent.empty()) fs::create_directories(parent);
  command.options = std::move(options);
  progress.step("fetching from " + host.name());
  auto done = co_await run_rsync(host, std::move(command), progress);
  if (done.trailer == k_nothing_there) co_return std::nullopt;
  PullReport report;
  report.found = parse_number<std::size_t>(done.trailer).value_or(candidates.size());
  report.transfer = std::move(done.report);
  if (report.found >= candidates.size())
    throw Error(ErrorKind::protocol, host.name() + " did not say which path exists");
  co_return report;
}

Async<std::vector<std::string>> list_names(Host& host, std::string leaf, std::vector<std::string> directories,
                                           std::chrono::milliseconds deadline) {
  ScriptCall call{scripts::transfer, "re_list_names", {}};
  call.arguments.push_back(std::move(leaf));
  for (auto& directory : directories) call.arguments.push_back(std::move(directory));
  const Answer answer = co_await host.run(std::move(call), deadline);
  const auto lines = split_lines(answer.output);
  co_return std::vector<std::string>(lines.begin(), lines.end());
}

}  // namespace re::remote
