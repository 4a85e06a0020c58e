// What `re __complete` knows beside the table: the configuration, the registry, and a host where it is quick.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cstdio>

#include "cli/complete.hpp"
#include "cli/context.hpp"
#include "cli/files.hpp"
#include "re/remote/rsync.hpp"
#include "re/sys/deadline.hpp"
#include "re/sys/file.hpp"

namespace re::cli {

namespace {

// Longer than this nobody waits for a list after pressing a key.
constexpr std::chrono::milliseconds k_network_deadline{2000};

// Whoever presses the Tab key has not asked to log in.
class RefusingPrompter final : public transport::Prompter {
 public:
  sys::Secret secret(std::string_view) override { throw Error(ErrorKind::auth, "nobody is asked here"); }
  std::string visible(std::string_view) override { throw Error(ErrorKind::auth, "nobody is asked here"); }
  bool confirm(std::string_view) override { return false; }
  void banner(std::string_view) override {}
  [[nodiscard]] bool can_ask() const override { return false; }
};

class SilentProgress final : public Progress {
 public:
  void step(std::string_view) override {}
  void advance(std::uint64_t, std::uint64_t) override {}
  void note(std::string_view) override {}
};

std::string destination_of(const config::InstanceSettings& instance) {
  if (instance.transport.value == config::TransportKind::local) return "this machine";
  config::InstanceSettings nameless = instance;
  nameless.name.value.clear();
  return nameless.label();
}

class LiveSource final : public CompletionSource {
 public:
  std::vector<Instance> instances(const Parsed& parsed) override {
    std::vector<Instance> instances;
    Context context(parsed);
    for (const auto& known : context.settings().instances) {
      instances.push_back({known.index ? std::to_string(*known.index) : std::string(), known.name.value,
                           destination_of(known), known.tags.value});
    }
    return instances;
  }

  std::vector<Job> jobs(const Parsed& parsed, JobChoice choice) override {
    std::vector<Job> jobs;
    Context context(parsed);
    for (const auto& record : records(context)) {
      if (choice == JobChoice::live && model::is_final(record.state)) continue;
      jobs.push_back({std::to_string(record.index), record.name, model::shown_command(record.command),
                      std::string(model::to_string(record.state))});
    }
    return jobs;
  }

  std::vector<std::string> remote_paths(const Parsed& parsed, const std::string& prefix) override {
    Context context(parsed);
    const std::string stem = prefix.substr(0, prefix.rfind('/') + 1);
    const auto [place, bases] = look_up(context, parsed, prefix);
    std::vector<std::string> directories;
    directories.reserve(bases.size());
    for (const auto& base : bases) directories.push_back(base + stem);
    auto names = list(context, place, prefix.substr(stem.size()), directories);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (auto& name : names) name.insert(0, stem);
    return names;
  }

 private:
  static std::vector<jobs::RegistryRecord> records(Context& context) {
    if (!context.project() || context.project()->id.empty()) return {};
    const auto registry = jobs::Registry::open_to_read(context.paths().state / "registry.db");
    if (!registry) return {};
    return registry->list({jobs::RegistryFilter::Which::all, context.project()->id, {}});
  }

  // Where `re pull` would look: the job's tree, then the project's directory.
  static std::pair<engine::Place, std::vector<std::string>> look_up(Context& context, const Parsed& parsed,
                                                                    const std::string& prefix) {
    if (prefix.starts_with('/') || prefix.starts_with('~')) return {context.place(parsed), {""}};
    const bool is_chosen = parsed.has("instance") || parsed.has("instance-idx");
    const auto wanted = parsed.text("job");
    std::pair<engine::Place, std::vector<std::string>> found{context.place(parsed), {}};
    auto candidates = records(context);
    if (wanted) {
      std::erase_if(candidates, [&](const auto& record) {
        return *wanted != record.name && *wanted != std::to_string(record.index);
      });
    }
    const bool is_there = !wanted && is_chosen;
    const auto newest = newest_that_ran(candidates, is_there ? std::optional(found.first.key) : std::nullopt);
    if (newest) {
      found.first = context.place_of(newest->instance, parsed);
      found.second.push_back(work_tree_of(newest->id));
    }
    if (!wanted)
      found.second.push_back(remote_project(context, found.first, context.require_project()).directory + "/");
    return found;
  }

  static std::vector<std::string> list(Context& context, engine::Place place, const std::string& leaf,
                                       const std::vector<std::string>& directories) {
    if (!std::filesystem::exists(context.paths().state)) return {};  // connecting would make it
    place.target.unknown_host = transport::UnknownHost::refuse;
    place.target.password = {};  // a password_command may ask
    RefusingPrompter prompter;
    SilentProgress progress;
    engine::Fleet fleet({prompter, progress, context.paths().state, context.paths().runtime});
    std::vector<std::string> names;
    const std::function<Async<void>()> task = [&]() -> Async<void> {
      const auto host = co_await fleet.host(place);
      names = co_await remote::list_names(*host, leaf, directories, k_network_deadline);
      co_await fleet.close();
    };
    context.run([&]() -> Async<int> {
      co_await sys::with_deadline(k_network_deadline, place.label, task);
      co_return 0;
    });
    return names;
  }
};

}  // namespace

int complete_main(const std::vector<std::string>& words) noexcept {
  try {
    // What a child says or asks has no place on a line that is being edited.
    const sys::Fd nothing = sys::open_file("/dev/null", O_RDWR);
    ::dup2(nothing.get(), STDIN_FILENO);
    ::dup2(nothing.get(), STDERR_FILENO);
    LiveSource source;
    const std::string text = render(complete(words, source));
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  } catch (...) {
    // No candidates.
  }
  return 0;
}

}  // namespace re::cli
