// Over random edits, a snapshot made by a patch is the one that rsync and the project's directory give.
#include <random>

#include "patch_fixture.hpp"

namespace re::jobs::test {
namespace {

/// Changes a project at random.
class Editor {
 public:
  Editor(const Local& local, unsigned seed) : m_local(local), m_random(seed) {}

  /// To another state; now and then to one that was there before.
  void change_or_undo() {
    if (below(6) == 0 && fs::exists(m_saved / "old")) {
      copy(m_saved / "old", m_local.root());
      return;
    }
    if (below(3) == 0) copy(m_local.root(), m_saved / "old");
    for (std::size_t left = 1 + below(4); left > 0; --left) change_once();
  }

 private:
  static void copy(const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    const auto done = sys::run_captured({"cp", "-a", from, to});
    ASSERT_TRUE(done.status.succeeded()) << done.error;
  }
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(m_random);
  }
  // A text that was not there before. A file whose content stays, and only its time or mode changes, keeps
  // the old time or mode on the host when its snapshot has it already.
  std::string text() {
    std::string text = std::to_string(++m_texts) + "\n";
    const std::size_t size = below(40) == 0 ? 20'000 : below(200);
    for (std::size_t at = 0; at < size; ++at) text += static_cast<char>(1 + below(255));
    if (below(40) == 0) text += '\0';
    if (below(2) == 0) text += "'quoted' \"$HOME\" `x` \\\n\n";
    return text;
  }
  std::string path() {
    static const std::vector<std::string> k_names = {"a", "b.py",   "c d",   "-rf",   "#x", "st*r",
                                                     "é", "quo'te", "%41",   "e=f",   "z",  "~",
                                                     "d", "x ./y",  "$HOME", "\xff.", ".h", "l"};
    std::string path;
    for (std::size_t depth = below(3); depth > 0; --depth) path += "dir" + std::to_string(below(3)) + "/";
    path += k_names[below(k_names.size())];
    if (below(30) == 0) path += "\n\\";
    return path;
  }
  std::int64_t seconds() {
    constexpr std::int64_t k_in_the_future = 4'000'000'000;
    return below(5) == 0 ? k_in_the_future : static_cast<std::int64_t>(below(1'500'000'000));
  }
  unsigned mode() {
    constexpr unsigned k_modes[] = {0644, 0644, 0755, 0600, 0664, 0700, 0444, 02755};
    return k_modes[below(std::size(k_modes))];
  }
  std::string some_file() {
    std::vector<std::string> files;
    for (const auto& entry : m_local.entries()) {
      if (entry.link_target.empty()) files.push_back(entry.path);
    }
    return files.empty() ? path() : files[below(files.size())];
  }
  // A directory in its way gives way, and so does a file where a directory must be.
  void put(const std::string& path) {
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const auto parent = m_local.root() / path.substr(0, slash);
      if (!fs::is_directory(fs::symlink_status(parent))) {
        fs::remove(parent);
        fs::create_directory(parent);
        // By its name: a mode that changes alone is not sent.
        fs::permissions(parent, slash % 3 == 0 ? fs::perms{0750} : fs::perms{0755});
      }
    }
    if (fs::is_directory(fs::symlink_status(m_local.root() / path))) m_local.remove(path);
    fs::create_directories((m_local.root() / path).parent_path());
    fs::remove(m_local.root() / path);
    if (below(8) == 0) {
      m_local.write(path, "");
    } else {
      m_local.write(path, text(), mode(), seconds());
    }
  }
  void change_once() {
    const std::string chosen = some_file();
    switch (below(12)) {
      case 0:
        return m_local.remove(chosen);
      case 1:  // renamed
        if (!fs::exists(m_local.root() / chosen)) return;
        put("moved" + std::to_string(below(5)));
        return m_local.remove(chosen);
      case 2: {  // its x bit
        if (!fs::exists(m_local.root() / chosen)) return;
        const unsigned old = facts_of(m_local.root() / chosen).st_mode & 07777U;
        if (old != 0644 && old != 0755) return;  // twice, it would change other bits alone
        return fs::permissions(m_local.root() / chosen, fs::perms{old ^ 0111U});
      }
      case 3:  // a file becomes a directory
        if (chosen.find('\n') != std::string::npos) return;
        return put(chosen + "/inner");
      case 4:  // a directory becomes a file, where there is one
        return put("dir" + std::to_string(below(3)));
      case 5: {
        const std::string link = path();
        if (below(4) != 0 || fs::exists(fs::symlink_status(m_local.root() / link))) return;
        put(link);
        fs::remove(m_local.root() / link);
        return fs::create_symlink("a", m_local.root() / link);
      }
      case 6:
      case 7:
        return put(path());
      default:
        return put(chosen);
    }
  }

  const Local& m_local;
  std::mt19937 m_random;
  std::size_t m_texts = 0;
  sys::TemporaryDirectory m_directory{"re-saved"};
  fs::path m_saved = m_directory.path();
};

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

unsigned chosen_seed() {
  const std::string chosen = environment("RE_SEED");
  return chosen.empty() ? std::random_device()() : static_cast<unsigned>(std::stoul(chosen));
}

class PatchTest : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(JobHostTest, PatchTest, testing::ValuesIn(shells()),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

/// What stands in rsync's way is taken out of both: a directory that is a file now.
void clear_way(const Local& local, const Place& place) {
  for (const auto& entry : local.entries()) {
    const auto there = place.project() / entry.path;
    if (fs::is_directory(fs::symlink_status(there))) fs::remove_all(there);
  }
}

TEST_P(PatchTest, snapshots_and_the_project_are_as_rsync_would_have_made_them) {
  const unsigned seed = chosen_seed();
  std::printf("RE_SEED=%u\n", seed);
  constexpr int k_rounds = 25;
  // busybox's shell calls its own touch, which knows no fractions.
  const Times times = GetParam().starts_with("busybox") ? Times::in_seconds : Times::exact;
  const Local local;
  Editor editor(local, seed);
  Place plain;
  Place patched(GetParam());
  std::size_t patches = 0;
  std::size_t refused = 0;
  for (int round = 0; round < k_rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    editor.change_or_undo();
    if (local.name() == patched.base()) continue;
    clear_way(local, plain);
    clear_way(local, patched);
    ASSERT_NO_FATAL_FAILURE(plain.bring(local));
    const auto patch = round == 0 ? std::nullopt : patched.plan(local);
    const bool is_there = fs::exists(patched.snapshot(local.name()));
    if (patch && patched.launch(local, &*patch) != Launch::need_snapshot) {
      patches += is_there ? 0U : 1U;
      patched.remember(local);
    } else {
      refused += patch ? 1U : 0U;
      ASSERT_NO_FATAL_FAILURE(patched.bring(local));
    }
    ASSERT_TRUE(patched.is_tidy());
    const auto name = local.name();
    ASSERT_EQ(sys::read_file(patched.snapshot(name) / "manifest"), local.manifest());
    ASSERT_EQ(listing(patched.snapshot(name), times), listing(plain.snapshot(name), times));
    const bool is_in_step = sys::read_file(patched.snapshot("latest.project-1")) == name + "\n";
    // A launch does not fail because the project's directory cannot follow; the next patch will be refused,
    // and then rsync brings it. Here at once: what a state leaves behind that it never had would differ for
    // good.
    ASSERT_TRUE(is_in_step || is_there);
    if (!is_in_step) {
      ASSERT_NO_FATAL_FAILURE(patched.bring(local));
    }
    ASSERT_EQ(listing(patched.project(), times), listing(plain.project(), times));
  }
  std::printf("%zu by patch, %zu patches refused\n", patches, refused);
  EXPECT_GT(patches, 0U);
  // No later one has written into an earlier one.
  for (const auto& found : fs::directory_iterator(plain.snapshot(""))) {
    if (!found.is_directory()) continue;
    const std::string name = found.path().filename();
    EXPECT_EQ(listing(patched.snapshot(name), times), listing(plain.snapshot(name), times)) << name;
  }
}

}  // namespace
}  // namespace re::jobs::test
