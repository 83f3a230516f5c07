"""Makes a folder with names, modes, times and types that are hard to write down. Usage: make-nasty.py FOLDER (as root)"""
import os, socket, stat, sys

root = os.fsencode(sys.argv[1])
os.makedirs(root)


def path(name):
    return os.path.join(root, name)


def make_file(name, content=b'', mode=0o644, ns=1_700_000_000_000_000_000):
    with open(path(name), 'wb') as file:
        file.write(content)
    os.chmod(path(name), mode)
    os.utime(path(name), ns=(ns, ns))


names = [
    b'plain.txt', b'with space', b' leading', b'trailing ', b'-dash', b'.hidden', b'quote"double', b"quote'single",
    b'back\\slash', b'new\nline', b'tab\there', b'bell\x07', b'back\x08space', b'form\x0cfeed', b'vertical\x0btab',
    b'return\rhere', b'escape\x1b', b'control\x01', b'delete\x7f', b'html<b>&amp;', b'caf\xc3\xa9', b'cafe\xcc\x81',
    b'\xf0\x9f\x98\x80 emoji', b'nbsp\xc2\xa0', b'soft\xc2\xad', b'zero\xe2\x80\x8bwidth', b'bom\xef\xbb\xbf',
    b'line\xe2\x80\xa8separator', b'paragraph\xe2\x80\xa9separator', b'private\xee\x80\x80', b'last\xf4\x8f\xbf\xbf',
    b'replacement\xef\xbf\xbd', b'c1\xc2\x85', b'unicode16\xe1\xb2\x89', b'han\xe6\xbc\xa2\xe5\xad\x97',
    b'invalid\xff\xfe', b'cut\xe2\x82', b'surrogate\xed\xa0\x80', b'overlong\xc0\xaf', b'beyond\xf4\x90\x80\x80',
    b'lone\x80', b'mixed\xc3\xa9\xff"\\', b'\\x41', b'\\u00e9', b'long-' + b'x' * 250, b'UPPER', b'lower', b'10', b'9',
]
for name in names:
    make_file(name)

make_file(b'content', b'Holdfast\n' * 3)
make_file(b'mode-setuid', mode=0o4755)
make_file(b'mode-setgid', mode=0o2755)
make_file(b'mode-all', mode=0o7777)
make_file(b'mode-none', mode=0)
make_file(b'time-zero', ns=0)
make_file(b'time-before-1970', ns=-86_400_000_000_000 + 1)
make_file(b'time-2400', ns=13_569_465_600_000_000_000 // 2)
make_file(b'time-fraction-9', ns=1_700_000_000_123_456_789)
make_file(b'time-fraction-1', ns=1_700_000_000_500_000_000)
make_file(b'time-fraction-small', ns=1_700_000_000_000_000_020)
make_file(b'owner-unknown')
os.chown(path(b'owner-unknown'), 54321, 54322)
make_file(b'attributes')
for name, value in ((b'user.text', b'value'), (b'user.empty', b''), (b'user.bytes', b'\x00\xff<>')):
    try:
        os.setxattr(path(b'attributes'), name, value)
    except OSError as error:
        print('no extended attributes:', error, file=sys.stderr)
make_file(b'hard-link-1', b'linked')
os.link(path(b'hard-link-1'), path(b'hard-link-2'))

os.symlink(b'plain.txt', path(b'link'))
os.symlink(b'/html<b>&"quoted"\\caf\xc3\xa9', path(b'link-nasty'))
os.symlink(b'/invalid\xff', path(b'link-invalid'))
os.mkfifo(path(b'fifo'), 0o600)
os.mknod(path(b'char-device'), stat.S_IFCHR | 0o620, os.makedev(1, 3))
os.mknod(path(b'block-device'), stat.S_IFBLK | 0o660, os.makedev(259, 70000))
socket.socket(socket.AF_UNIX).bind(path(b'socket'))
os.mkdir(path(b'empty'))
os.mkdir(path(b'sticky'))
os.chmod(path(b'sticky'), 0o1777)
for name in (b'link', b'link-nasty', b'link-invalid', b'fifo', b'char-device', b'block-device', b'empty', b'sticky'):
    os.utime(path(name), ns=(1_600_000_000_000_000_000,) * 2, follow_symlinks=False)
os.utime(root, ns=(1_700_000_000_000_000_000,) * 2)
