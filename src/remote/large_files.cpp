#include "remote/large_files.hpp"

#include <boost/asio/awaitable.hpp>
#include <set>

#include "re/base/strings.hpp"
#include "remote/block_scripts.hpp"
#include "remote/scripts.hpp"

namespace re::remote {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds k_question_deadline{30};
constexpr std::string_view k_partial_directory = ".re-partial";  // rsync leaves its own out

class Finder {
 public:
  explicit Finder(std::uint64_t at_least) : m_at_least(at_least) {}

  void look_at(const std::string& source) {
    const fs::path path(source);
    std::error_code error;
    const auto status = fs::symlink_status(path, error);
    if (fs::is_regular_file(status)) {
      take(path, path.filename().string());
    } else if (fs::is_directory(status)) {
      const auto name = path.filename();
      const bool is_contents = name.empty() || name == "." || name == "..";
      look_into(path, is_contents ? std::string() : name.string() + "/");
    } else if (fs::is_symlink(status) && source.ends_with('/')) {
      look_into(path, "");
    }
  }

  std::vector<LargeFile> found() && { return std::move(m_found); }

 private:
  void look_into(const fs::path& directory, const std::string& prefix) {
    std::error_code error;
    fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied, error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      if (at->path().filename() == k_partial_directory) at.disable_recursion_pending();
      std::error_code ignored;
      if (!at->is_symlink(ignored) && at->is_regular_file(ignored))
        take(at->path(), prefix + at->path().lexically_relative(directory).string());
    }
  }

  void take(const fs::path& local, std::string path) {
    std::error_code error;
    const auto size = fs::file_size(local, error);
    if (error || size < m_at_least || !m_paths.insert(path).second) return;
    m_found.push_back({local, std::move(path), size});
  }

  std::uint64_t m_at_least;
  std::set<std::string> m_paths;
  std::vector<LargeFile> m_found;
};

}  // namespace

std::vector<LargeFile> find_large_files(const std::vector<std::string>& sources, std::uint64_t at_least) {
  Finder finder(at_least);
  for (const auto& source : sources) finder.look_at(source);
  return std::move(finder).found();
}

Async<Unsent> find_unsent(Host& host, std::string destination, Destination asked,
                          std::vector<LargeFile> files) {
  ScriptCall call{block_scripts(), "re_find_unsent", {}};
  call.arguments = {asked == Destination::file ? "file" : "directory", std::move(destination)};
  for (const auto& file : files) {
    call.arguments.push_back(file.path);
    call.arguments.push_back(std::to_string(file.size));
  }
  const Answer answer = co_await host.run(std::move(call), k_question_deadline);
  Unsent unsent;
  if (answer.outcome.trailer == "file") unsent.destination = Destination::file;
  for (const auto line : split_lines(answer.output)) {
    const auto number = parse_number<std::size_t>(line);
    if (!number || *number >= files.size())
      throw Error(ErrorKind::protocol, host.name() + " did not say which files it has");
    unsent.files.push_back(files[*number]);
  }
  co_return unsent;
}

}  // namespace re::remote
