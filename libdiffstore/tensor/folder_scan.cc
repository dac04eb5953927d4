#include "tensor/folder_scan.h"

#include <algorithm>
#include <array>

#include "dstore/error.h"
#include "tensor/ignore_file.h"

namespace dstore {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::uint64_t kMaxIgnoreFile = 1u << 20;
constexpr std::string_view kIgnoreFile = ".dstoreignore";
constexpr std::array<std::string_view, 3> kNeverImported{".dstore", ".git", ".cache"};
constexpr std::string_view kOwnFiles = ".dstore-";  // .dstore-checkout and what a killed checkout leaves
constexpr std::array<std::string_view, 7> kPickleSuffixes{".bin", ".pt",   ".pth",           ".pkl",
                                                          ".pickle", ".ckpt", ".bin.index.json"};

class Walk {
 public:
  Walk(Filesystem& fs, const std::string& folder, IgnoreFile ignore)
      : fs_(fs), folder_(folder), ignore_(std::move(ignore)) {}

  FolderScan run() {
    visit_folder("", 0);
    std::ranges::sort(scan_.files, {}, &SideFile::path);
    return std::move(scan_);
  }

 private:
  void visit_folder(const std::string& relative, int depth) {
    if (depth > kMaxDepth) refuse(relative, "more than " + std::to_string(kMaxDepth) + " folders deep");
    for (const std::string& name : fs_.list(join_path(folder_, relative))) {
      if (name.starts_with(kOwnFiles) || std::ranges::find(kNeverImported, name) != kNeverImported.end()) continue;
      visit(join_path(relative, name), depth);
    }
  }

  void visit(const std::string& relative, int depth) {
    const std::string full = join_path(folder_, relative);
    std::optional<FileInfo> info = fs_.stat(full, false);
    if (!info) return;  // deleted since the folder was listed
    const bool is_link = info->type == FileInfo::Type::symlink;
    if (ignore_.ignores(relative, info->type == FileInfo::Type::directory)) return;
    if (!is_safe_relative_path(relative)) refuse(relative, "no checkpoint can hold a file of that name");
    if (is_link) info = fs_.stat(full, true);
    if (!info || (is_link && info->type == FileInfo::Type::directory)) {
      scan_.links.push_back(relative);
    } else if (info->type == FileInfo::Type::directory) {
      visit_folder(relative, depth + 1);
    } else if (info->type != FileInfo::Type::regular) {
      scan_.specials.push_back(relative);
    } else if (is_pickle_name(relative)) {
      scan_.pickles.push_back(relative);
    } else {
      scan_.files.push_back({relative, info->size});
    }
  }

  [[noreturn]] void refuse(const std::string& relative, const std::string& why) const {
    throw Error(ErrorCode::invalid_argument, printable(join_path(folder_, relative)) + ": " + why +
                                                 "; rename it or name it in " + std::string(kIgnoreFile));
  }

  Filesystem& fs_;
  const std::string& folder_;
  IgnoreFile ignore_;
  FolderScan scan_;
};

IgnoreFile read_ignore_file(Filesystem& fs, const std::string& folder) {
  const std::string path = join_path(folder, kIgnoreFile);
  const auto info = fs.stat(path, true);
  if (!info || info->type != FileInfo::Type::regular) return {};
  return {read_text_file(fs, path, OpenMode::read, kMaxIgnoreFile), printable(path)};
}

}  // namespace

bool is_pickle_name(std::string_view path) {
  std::string lower(path);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::ranges::any_of(kPickleSuffixes, [&](std::string_view suffix) { return lower.ends_with(suffix); });
}

FolderScan scan_folder(Filesystem& fs, const std::string& folder) {
  const auto info = fs.stat(folder, true);
  if (!info) throw Error(ErrorCode::not_found, printable(folder) + ": no such folder");
  if (info->type != FileInfo::Type::directory) throw Error(ErrorCode::not_found, printable(folder) + ": not a folder");
  return Walk(fs, folder, read_ignore_file(fs, folder)).run();
}

}  // namespace dstore
