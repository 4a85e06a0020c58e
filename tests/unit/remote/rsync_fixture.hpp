// An rsync between two directories of this machine, the far one a home that a child process stands in for.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <map>

#include "re/base/shell.hpp"
#include "re/remote/rsync.hpp"
#include "re/sys/file.hpp"
#include "support/run_to_end.hpp"
#include "unit/remote/altered_connection.hpp"

namespace re::remote {

namespace fs = std::filesystem;

class RecordingProgress final : public Progress {
 public:
  void step(std::string_view) override {}
  void advance(std::uint64_t done, std::uint64_t total) override {
    m_done = done;
    m_total = total;
  }
  void note(std::string_view text) override { m_notes.emplace_back(text); }

  std::uint64_t m_done = 0;
  std::uint64_t m_total = 0;
  std::vector<std::string> m_notes;
};

// Every path below a directory, with what it is and holds.
inline std::map<std::string, std::string> tree(const fs::path& root) {
  std::map<std::string, std::string> entries;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string name = entry.path().lexically_relative(root).string();
    if (entry.is_symlink()) {
      entries[name] = "link to " + fs::read_symlink(entry.path()).string();
    } else {
      entries[name] = entry.is_directory() ? "directory" : "file " + sys::read_file(entry.path());
    }
  }
  return entries;
}

// The real rsync sends, but every name in its stream is replaced on the way by another of the same length.
inline std::string lying_rsync(const std::string& truth, const std::string& lie) {
  return "#!/usr/bin/python3\n"
         "import os, subprocess, sys\n"
         "child = subprocess.Popen(['/usr/bin/rsync'] + sys.argv[1:], stdout=subprocess.PIPE)\n"
         "while True:\n"
         "    data = os.read(child.stdout.fileno(), 65536)\n"
         "    if not data: break\n"
         "    data = data.replace(b'" +
         truth + "', b'" + lie +
         "')\n"
         "    while data: data = data[os.write(1, data):]\n"
         "sys.exit(child.wait())\n";
}

class RsyncTest : public testing::Test {
 protected:
  RsyncTest() {
    fs::create_directories(m_home);
    fs::create_directories(m_here);
    fs::create_directories(m_programs);
    m_options.remote_shell = {RE_REMOTE_SHELL_HELPER};
    m_options.io_timeout = std::chrono::seconds(60);
  }

  void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  // What the far side finds as rsync.
  void replace_remote_rsync(const std::string& script) {
    const fs::path file = m_programs / "rsync";
    write(file, script);
    fs::permissions(file, fs::perms::owner_all);
    m_prologue = "export PATH=" + shell_quote(m_programs.string()) + ":\"$PATH\"";
  }

  Host& host() {
    m_host = std::make_unique<Host>(
        std::make_unique<AlteredConnection>(m_io.get_executor(), m_home.string(), m_prologue, m_break_after),
        "there");
    return *m_host;
  }

  TransferReport sync(std::vector<std::string> paths, Absent absent = Absent::fail) {
    SyncRequest request{m_here, std::move(paths), "project", absent};
    return run_to_end(m_io, sync_files(host(), request, m_options, m_progress));
  }
  TransferReport push_to(std::vector<std::string> sources, std::string destination) {
    return run_to_end(m_io, push(host(), std::move(sources), std::move(destination), m_options, m_progress));
  }
  TransferReport pull_from(std::string source, const fs::path& destination) {
    auto report = run_to_end(m_io, pull(host(), {source}, destination, m_options, m_progress));
    if (!report) throw Error(ErrorKind::not_found, "no " + source);
    return std::move(report->transfer);
  }

  template <class Function>
  Error error_of(Function function) {
    try {
      function();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error";
    return {ErrorKind::usage, "none"};
  }

  boost::asio::io_context m_io;
  sys::TemporaryDirectory m_directory{"re-test rsync's"};  // with what needs quoting
  fs::path m_home = m_directory.path() / "home";
  fs::path m_here = m_directory.path() / "here";
  fs::path m_programs = m_directory.path() / "programs";
  std::string m_prologue = ":";
  std::size_t m_break_after = AlteredConnection::k_unbroken;
  TransferOptions m_options;
  RecordingProgress m_progress;
  std::unique_ptr<Host> m_host;
};

}  // namespace re::remote
