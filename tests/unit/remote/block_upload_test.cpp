#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <map>
#include <random>

#include "re/base/shell.hpp"
#include "re/remote/rsync.hpp"
#include "re/sys/file.hpp"
#include "remote/block_scripts.hpp"
#include "remote/large_files.hpp"
#include "support/run_to_end.hpp"
#include "unit/remote/altered_connection.hpp"

namespace {

using namespace std::chrono_literals;
using namespace re::remote;
using re::ErrorKind;
using re::run_to_end;
namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::uint64_t k_block = 64U << 10U;
constexpr std::uint64_t k_large = 256U << 10U;
constexpr std::uint64_t k_never = ~std::uint64_t{0};

std::string random_bytes(std::size_t size, unsigned seed = 20261121) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// What a server grants: so many channels at once.
struct Channels {
  std::size_t most = k_never;
  std::size_t open = 0;
  std::size_t peak = 0;
};

class CountedChannel final : public re::transport::Channel {
 public:
  CountedChannel(std::unique_ptr<re::transport::Channel> inner, Channels& channels)
      : m_inner(std::move(inner)), m_channels(channels) {
    m_channels.peak = std::max(m_channels.peak, ++m_channels.open);
  }
  ~CountedChannel() override { --m_channels.open; }
  re::Async<re::transport::Chunk> read() override { return m_inner->read(); }
  re::Async<void> write(std::string_view data) override { return m_inner->write(data); }
  re::Async<void> close_input() override { return m_inner->close_input(); }
  re::Async<void> resize(re::sys::WindowSize size) override { return m_inner->resize(size); }
  re::Async<re::sys::ExitStatus> wait() override { return m_inner->wait(); }
  re::Async<void> close() override { return m_inner->close(); }

 private:
  std::unique_ptr<re::transport::Channel> m_inner;
  Channels& m_channels;
};

class CountedConnection final : public re::transport::Connection {
 public:
  CountedConnection(std::unique_ptr<re::transport::Connection> inner, Channels& channels)
      : m_inner(std::move(inner)), m_channels(channels) {}
  re::Async<std::unique_ptr<re::transport::Channel>> exec(re::transport::ExecRequest request) override {
    if (m_channels.open >= m_channels.most) throw re::Error(ErrorKind::remote, "there refuses a channel");
    auto channel = co_await m_inner->exec(std::move(request));
    co_return std::make_unique<CountedChannel>(std::move(channel), m_channels);
  }
  re::Async<std::unique_ptr<re::transport::Channel>> open_forward(std::string host,
                                                                  unsigned short port) override {
    return m_inner->open_forward(std::move(host), port);
  }
  [[nodiscard]] const re::transport::ConnectionInfo& info() const override { return m_inner->info(); }
  re::Async<void> close() override { return m_inner->close(); }

 private:
  std::unique_ptr<re::transport::Connection> m_inner;
  Channels& m_channels;
};

// All that rsync -lpt keeps, of every path below a directory.
std::map<std::string, std::string> tree(const fs::path& root) {
  std::map<std::string, std::string> entries;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    struct stat status{};
    EXPECT_EQ(::lstat(entry.path().c_str(), &status), 0);
    std::string text = std::to_string(status.st_mode) + " ";
    if (!entry.is_directory() || entry.is_symlink())
      text += std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec) + " ";
    if (entry.is_symlink()) {
      text += fs::read_symlink(entry.path()).string();
    } else if (!entry.is_directory()) {
      text += std::to_string(std::hash<std::string>()(re::sys::read_file(entry.path())));
    }
    entries[entry.path().lexically_relative(root).string()] = text;
  }
  return entries;
}

class BlockUploadTest : public testing::Test {
 protected:
  BlockUploadTest() {
    fs::create_directories(m_home);
    fs::create_directories(m_here);
    m_options.remote_shell = {RE_REMOTE_SHELL_HELPER};
    m_options.io_timeout = 60s;
    m_options.large_file = k_large;
    m_options.block = k_block;
  }

  void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  // A program that stands before the host's own.
  void replace(const std::string& name, const std::string& script) {
    const fs::path file = m_directory.path() / "programs" / name;
    write(file, script);
    fs::permissions(file, fs::perms::owner_all);
    m_prologue = "export PATH=" + re::shell_quote(file.parent_path().string()) + ":\"$PATH\"";
  }

  Host& host() {
    auto connection =
        std::make_unique<AlteredConnection>(m_io.get_executor(), m_home.string(), m_prologue, m_break_after);
    m_host = std::make_unique<Host>(std::make_unique<CountedConnection>(std::move(connection), m_channels),
                                    "there");
    return *m_host;
  }

  TransferReport push_to(std::vector<std::string> sources, std::string destination) {
    const fs::path before = fs::current_path();
    fs::current_path(m_here);
    const auto back = std::shared_ptr<void>(nullptr, [&](void*) { fs::current_path(before); });
    return run_to_end(m_io, push(host(), std::move(sources), std::move(destination), m_options, m_progress));
  }

  template <class Function>
  re::Error error_of(Function function) {
    try {
      function();
    } catch (const re::Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorKind::usage, "none"};
  }

  std::string there(const std::string& path) { return re::sys::read_file(m_home / path); }

  boost::asio::io_context m_io;
  re::sys::TemporaryDirectory m_directory{"re-test block's"};  // with what needs quoting
  fs::path m_home = m_directory.path() / "home";
  fs::path m_here = m_directory.path() / "here";
  std::string m_prologue = ":";
  std::size_t m_break_after = AlteredConnection::k_unbroken;
  Channels m_channels;
  TransferOptions m_options;
  re::NoProgress m_progress;
  std::unique_ptr<Host> m_host;
};

TEST_F(BlockUploadTest, a_large_file_travels_over_several_channels) {
  const std::string content = random_bytes(20 * k_block + 7);
  write(m_here / "model", content);
  const auto report = push_to({"model"}, "data/");
  EXPECT_EQ(there("data/model"), content);
  EXPECT_GE(m_channels.peak, 4U);
  EXPECT_LT(m_channels.peak, 9U) << "sshd grants ten, and others need some";
  EXPECT_EQ(report.files_transferred, 1U);
  EXPECT_EQ(report.total_size, content.size());
  EXPECT_EQ(report.literal_bytes, content.size());
  EXPECT_FALSE(fs::exists(m_home / "data/.re-partial"));
}

TEST_F(BlockUploadTest, what_is_there_with_its_size_and_time_is_not_sent) {
  write(m_here / "model", random_bytes(k_large));
  push_to({"model"}, "data/");
  m_channels.peak = 0;
  const auto report = push_to({"model"}, "data/");
  EXPECT_EQ(report.files_transferred, 0U);
  EXPECT_EQ(report.literal_bytes, 0U);
  EXPECT_LE(m_channels.peak, 1U);
}

TEST_F(BlockUploadTest, what_has_the_size_but_other_content_is_rsyncs) {
  std::string content = random_bytes(8 * k_block);
  write(m_here / "model", content);
  push_to({"model"}, "data/");
  content[100] = static_cast<char>(content[100] + 1);
  write(m_here / "model", content);
  fs::last_write_time(m_here / "model", fs::file_time_type::clock::now() + 10s);
  const auto report = push_to({"model"}, "data/");
  EXPECT_EQ(there("data/model"), content);
  EXPECT_LT(report.literal_bytes, content.size() / 2);
}

TEST_F(BlockUploadTest, a_preview_changes_nothing) {
  write(m_here / "model", random_bytes(k_large));
  m_options.preview = Preview::yes;
  const auto report = push_to({"model"}, "data/");
  EXPECT_EQ(report.changes.size(), 1U);
  EXPECT_TRUE(fs::is_empty(m_home));
}

// The same with rsync alone. Everything that a push may meet lies in `here` and `before`.
class DifferentialTest : public BlockUploadTest {
 protected:
  void make_sources() {
    const std::string big = random_bytes(5 * k_block + 1);
    for (const char* name :
         {"big", "sp ace's \"$x\"\n*", "-dash", "~tilde", "deep/a/b/big", "deep/small-and-big/big",
          "behind-link/big", "behind-directory", "shorter", "longer", "same-size", "old"}) {
      write(m_here / name, name + big);
    }
    write(m_here / std::string(255, 'n'), big);
    write(m_here / "small", "small");
    write(m_here / "deep/a/small", "small");
    fs::create_symlink("../big", m_here / "deep/link");
    fs::create_symlink("big", m_here / "link");
    fs::create_directory_symlink("deep", m_here / "directory-link");
    fs::create_directories(m_here / "deep/empty");
    ::chmod((m_here / "big").c_str(), 0751);
    ::chmod((m_here / "-dash").c_str(), 0400);
    ::chmod((m_here / "deep/a/b").c_str(), 0750);
    const std::array<timespec, 2> times = {timespec{-1000, 0}, timespec{-1000, 500'000'001}};
    EXPECT_EQ(::utimensat(AT_FDCWD, (m_here / "old").c_str(), times.data(), 0), 0);
  }

  static void make_before(const fs::path& home) {
    const auto put = [&](const fs::path& path, const std::string& text) {
      fs::create_directories(path.parent_path());
      std::ofstream(path, std::ios::binary) << text;
    };
    put(home / "elsewhere/kept", "kept");
    fs::create_directories(home / "to");
    fs::create_directory_symlink("../elsewhere", home / "to/behind-link");
    fs::create_directories(home / "to/behind-directory");
    put(home / "to/shorter", "short");
    put(home / "to/longer", random_bytes(9 * k_block));
    put(home / "to/same-size", random_bytes(5 * k_block + 1 + 9));
    fs::create_symlink("../elsewhere/kept", home / "to/old");
    fs::create_directory_symlink("elsewhere", home / "a-link");
    const std::array<timespec, 2> times = {timespec{1'000'000'000, 0}, timespec{1'000'000'000, 0}};
    for (const auto& entry : fs::recursive_directory_iterator(home))
      EXPECT_EQ(::utimensat(AT_FDCWD, entry.path().c_str(), times.data(), AT_SYMLINK_NOFOLLOW), 0);
  }

  // The two homes, each after the same push.
  void expect_same(const std::vector<std::string>& sources, const std::string& destination) {
    std::map<std::string, std::string> trees[2];
    for (const bool is_plain : {false, true}) {
      m_home = m_directory.path() / "home";
      fs::remove_all(m_home);
      make_before(m_home);
      m_options.large_file = is_plain ? k_never : k_large;
      push_to(sources, destination);
      trees[is_plain ? 1 : 0] = tree(m_home);
    }
    EXPECT_EQ(trees[0], trees[1]) << destination;
    EXPECT_FALSE(trees[0].empty());
  }
};

TEST_F(DifferentialTest, the_result_is_that_of_rsync_alone) {
  make_sources();
  expect_same({"."}, "to/");
  expect_same({"deep", "big", "link", "old"}, "to");
  expect_same({"deep/", "small"}, "new/place");
  expect_same({"deep/.", "./big", "deep/a/b/big"}, "~/new");
  expect_same({"big"}, "to/renamed");
  expect_same({"big"}, "to/behind-directory");
  expect_same({"big"}, "to/shorter");
  expect_same({"big"}, "to/old");
  expect_same({"big"}, "a-link");
  expect_same({"big"}, "a-link/");
  expect_same({"-dash"}, "-new");
  expect_same({"sp ace's \"$x\"\n*"}, "odd\n$name/");
  expect_same({"directory-link"}, "to");
  expect_same({"directory-link/"}, "to");
}

TEST_F(BlockUploadTest, a_cut_push_goes_on_and_leaves_the_old_file_until_then) {
  const std::string content = random_bytes(60 * k_block);
  write(m_here / "model", content);
  write(m_home / "data/model", "old");
  m_break_after = 8 * k_block + 1000;  // of each channel; a run has ten blocks
  const auto error = error_of([&] { push_to({"model"}, "data/"); });
  EXPECT_EQ(error.kind(), ErrorKind::unreachable) << error.what();
  EXPECT_EQ(there("data/model"), "old");
  EXPECT_EQ(fs::status(m_home / "data/.re-partial").permissions(), fs::perms::owner_all);
  EXPECT_EQ(m_channels.open, 0U);
  m_break_after = AlteredConnection::k_unbroken;
  const auto report = push_to({"model"}, "data/");
  EXPECT_EQ(there("data/model"), content);
  EXPECT_GE(report.matched_bytes, 8 * k_block);
  EXPECT_EQ(report.literal_bytes + report.matched_bytes, content.size());
  EXPECT_FALSE(fs::exists(m_home / "data/.re-partial"));
}

TEST_F(BlockUploadTest, only_blocks_that_are_right_are_kept) {
  const std::string content = random_bytes(10 * k_block + 5);
  write(m_here / "model", content);
  std::string partial = content.substr(0, 6 * k_block + 50);
  partial[2 * k_block + 17] = static_cast<char>(partial[2 * k_block + 17] + 1);
  write(m_home / ".re-partial/model.re-0123456789abcdef", partial);
  write(m_home / ".re-partial/model.re-x", "another file's");
  ::chmod((m_home / ".re-partial").c_str(), 0700);
  const auto report = push_to({"model"}, "./");
  EXPECT_EQ(there("model"), content);
  EXPECT_EQ(report.matched_bytes, 5 * k_block);
  EXPECT_EQ(there(".re-partial/model.re-x"), "another file's");
  EXPECT_FALSE(fs::exists(m_home / ".re-partial/model.re-0123456789abcdef"));
}

TEST_F(BlockUploadTest, what_an_interrupted_rsync_left_is_used_and_cut_to_size) {
  const std::string content = random_bytes(8 * k_block);
  write(m_here / "model", content);
  write(m_home / ".re-partial/model", content + "and more");
  ::chmod((m_home / ".re-partial").c_str(), 0700);
  const auto report = push_to({"model"}, "./");
  EXPECT_EQ(there("model"), content);
  EXPECT_EQ(report.literal_bytes, 0U);
}

TEST_F(BlockUploadTest, a_server_that_grants_few_channels_gets_the_file_over_those) {
  const std::string content = random_bytes(20 * k_block);
  write(m_here / "model", content);
  for (const std::size_t most : {3U, 2U, 1U}) {
    m_channels = {most, 0, 0};
    fs::remove_all(m_home / "data");
    push_to({"model"}, "data/");
    EXPECT_EQ(there("data/model"), content) << most;
    EXPECT_EQ(m_channels.peak, most);
  }
}

TEST_F(BlockUploadTest, a_host_without_a_tool_gets_it_by_rsync) {
  const std::string content = random_bytes(k_large);
  write(m_here / "model", content);
  const std::string tools = "mkdir -p tools; for tool in rsync mkdir ls id dd touch chmod mv rm cp rmdir";
  for (const char* more : {" flock", " b2sum", " sha256sum"}) {
    fs::remove_all(m_home / "data");
    m_prologue =
        tools + more + "; do ln -sf \"$(command -v \"$tool\")\" tools/; done; export PATH=\"$PWD/tools\"";
    m_channels.peak = 0;
    push_to({"model"}, "data/");
    EXPECT_EQ(there("data/model"), content) << more;
    EXPECT_EQ(m_channels.peak, 1U) << more;
    fs::remove_all(m_home / "tools");
  }
}

TEST_F(BlockUploadTest, sha256_serves_where_blake2b_is_missing) {
  const std::string content = random_bytes(k_large);
  write(m_here / "model", content);
  m_prologue =
      "mkdir -p tools; for tool in rsync mkdir ls id dd touch chmod mv rm cp rmdir flock sha256sum"
      "; do ln -sf \"$(command -v \"$tool\")\" tools/; done; export PATH=\"$PWD/tools\"";
  push_to({"model"}, "data/");
  EXPECT_EQ(there("data/model"), content);
  EXPECT_GT(m_channels.peak, 1U);
}

TEST_F(BlockUploadTest, a_place_that_others_can_enter_is_not_used) {
  const std::string content = random_bytes(k_large);
  write(m_here / "model", content);
  fs::create_directories(m_home / "data/.re-partial");
  ::chmod((m_home / "data/.re-partial").c_str(), 0777);
  push_to({"model"}, "data/");
  EXPECT_EQ(there("data/model"), content);
  EXPECT_EQ(m_channels.peak, 1U);
}

TEST_F(BlockUploadTest, a_full_disk_is_said_and_the_transfer_goes_on_when_there_is_room) {
  const std::string content = random_bytes(24 * k_block);
  write(m_here / "model", content);
  write(m_home / "data/model", "old");
  // The last run does not fit.
  replace("dd",
          "#!/bin/sh\ncase \"$*\" in\n  *of=*seek=20*) head -c 100000 >/dev/null; "
          "echo \"dd: error writing './x': No space left on device\" >&2; exit 1 ;;\nesac\nexec /bin/dd "
          "\"$@\"\n");
  const auto error = error_of([&] { push_to({"model"}, "data/"); });
  EXPECT_EQ(error.kind(), ErrorKind::remote);
  EXPECT_EQ(error.message(), "no space left on there");
  EXPECT_EQ(there("data/model"), "old");
  m_prologue = ":";
  const auto report = push_to({"model"}, "data/");
  EXPECT_EQ(there("data/model"), content);
  EXPECT_GT(report.matched_bytes, 0U);
}

TEST_F(BlockUploadTest, what_is_written_wrongly_is_sent_again_but_not_for_ever) {
  const std::string content = random_bytes(8 * k_block);
  write(m_here / "model", content);
  replace("dd",
          "#!/bin/sh\ncase \"$*\" in\n  of=*seek=2\\ *) if mkdir \"$HOME/once\" 2>/dev/null; then cat "
          ">/dev/null; "
          "exit 0; fi ;;\nesac\nexec /bin/dd \"$@\"\n");
  push_to({"model"}, "data/");
  EXPECT_TRUE(fs::exists(m_home / "once"));
  EXPECT_EQ(there("data/model"), content);
  fs::remove(m_home / "data/model");
  replace(
      "dd",
      "#!/bin/sh\ncase \"$*\" in\n  of=*seek=2\\ *) cat >/dev/null; exit 0 ;;\nesac\nexec /bin/dd \"$@\"\n");
  const auto error = error_of([&] { push_to({"model"}, "data/"); });
  EXPECT_THAT(error.what(), HasSubstr("is not what it was sent"));
  EXPECT_FALSE(fs::exists(m_home / "data/model"));
}

TEST_F(BlockUploadTest, a_file_that_changes_meanwhile_is_not_put_in_place) {
  write(m_here / "model", random_bytes(8 * k_block));
  replace("dd",
          "#!/bin/sh\ntouch " + re::shell_quote((m_here / "model").string()) + "\nexec /bin/dd \"$@\"\n");
  const auto error = error_of([&] { push_to({"model"}, "data/"); });
  EXPECT_EQ(error.kind(), ErrorKind::conflict);
  EXPECT_THAT(error.what(), HasSubstr("changed while it was sent"));
  EXPECT_FALSE(fs::exists(m_home / "data/model"));
}

TEST_F(BlockUploadTest, of_two_senders_one_wins_whole) {
  const std::string content = random_bytes(6 * k_block);
  write(m_here / "model", content);
  Host slow(std::make_unique<AlteredConnection>(m_io.get_executor(), m_home.string(), ":"), "there");
  std::unique_ptr<ScriptRun> holder;
  const auto begin = [&]() -> re::Async<void> {
    ScriptCall call{block_scripts(), "re_assemble", {}};
    call.arguments = {"data", "model", "393216", "00000000000000aa", "1"};
    holder = co_await slow.start(std::move(call), 20s);
    co_await holder->read();
  };
  run_to_end(m_io, begin());
  write(m_home / "data/.re-partial/model.re-00000000000000aa", content.substr(0, 3 * k_block));
  const auto report = push_to({"model"}, "data/");  // while the first one holds its file
  EXPECT_EQ(report.matched_bytes, 3 * k_block);
  std::string trailer;
  const auto commit = [&]() -> re::Async<void> {
    const std::string line = "commit 0644 2026-11-21T00:00:00.0Z\n";
    co_await holder->write(line);
    for (;;) {
      const auto chunk = co_await holder->read();
      if (chunk.stream == re::transport::Chunk::Stream::end) break;
    }
    trailer = holder->outcome().trailer;
    co_await holder->close();
  };
  run_to_end(m_io, commit());
  EXPECT_EQ(trailer, "changed");
  EXPECT_EQ(there("data/model"), content);
}

class BlockShellTest : public BlockUploadTest, public testing::WithParamInterface<const char*> {};

TEST_P(BlockShellTest, sends_resumes_and_replaces) {
  m_prologue = std::string("exec ") + GetParam() + " -s";
  std::string content = random_bytes(12 * k_block + 3);
  write(m_here / "model", content);
  const std::string partial = content.substr(0, 4 * k_block);
  write(m_home / "data/.re-partial/model.re-0123456789abcdef", partial + random_bytes(10 * k_block));
  ::chmod((m_home / "data/.re-partial").c_str(), 0700);
  auto report = push_to({"model"}, "data/");
  EXPECT_EQ(report.matched_bytes, 4 * k_block);
  EXPECT_GT(m_channels.peak, 1U);
  EXPECT_EQ(there("data/model"), content);
  EXPECT_FALSE(fs::exists(m_home / "data/.re-partial"));
  content += "longer";
  write(m_here / "model", content);
  report = push_to({"model"}, "data/model");
  EXPECT_EQ(there("data/model"), content);
  struct stat here{};
  struct stat there{};
  ASSERT_EQ(::stat((m_here / "model").c_str(), &here), 0);
  ASSERT_EQ(::stat((m_home / "data/model").c_str(), &there), 0);
  EXPECT_EQ(here.st_mtim.tv_sec, there.st_mtim.tv_sec);
  EXPECT_EQ(here.st_mode, there.st_mode);
}

INSTANTIATE_TEST_SUITE_P(Shells, BlockShellTest, testing::Values("dash", "busybox sh", "bash --posix"),
                         [](const auto& shell) { return std::string(shell.param).substr(0, 4); });

}  // namespace
