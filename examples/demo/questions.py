"""What somebody may ask of the corpus, in words of their own, with the names of the documents that answer it.

They were written down before either model was asked. Not every Python has every name: those that are not there count
for nothing.
"""

from __future__ import annotations

ANSWERS: dict[str, tuple[str, ...]] = {
    "pick a lottery winner": ("random.Random.choice", "random.Random.sample", "random.Random.choices"),
    "how old is this file": ("genericpath.getmtime", "genericpath.getctime", "genericpath.getatime"),
    "how fast is my code": ("timeit", "timeit.timeit", "timeit.Timer", "timeit.Timer.timeit"),
    "is 2024 a leap year": ("calendar.isleap",),
    "which day of the week was I born": ("calendar.weekday", "datetime.date.weekday", "datetime.date.isoweekday"),
    "how big is this document on disk": ("genericpath.getsize",),
    "remove a whole folder and everything in it": ("shutil.rmtree",),
    "duplicate a directory with all that is inside": ("shutil.copytree",),
    "how much free room is left on my drive": ("shutil.disk_usage",),
    "suggest a correction for a misspelled word": ("difflib.get_close_matches",),
    "show what changed between two versions of a text": (
        "difflib.unified_diff",
        "difflib.context_diff",
        "difflib.ndiff",
        "difflib.Differ",
        "difflib.HtmlDiff",
    ),
    "which items occur most often": ("collections.Counter.most_common", "collections.Counter"),
    "add up fractions exactly": ("fractions.Fraction", "fractions.Fraction._add"),
    "remember results so that slow calls are not repeated": ("functools.lru_cache", "functools.cache"),
    "swallow an error and carry on": ("contextlib.suppress",),
    "capture what a function prints": ("contextlib.redirect_stdout",),
    "clone an object including all nested ones": ("copy.deepcopy",),
    "make a hard-to-guess password": (
        "secrets",
        "secrets.token_hex",
        "secrets.token_urlsafe",
        "secrets.token_bytes",
    ),
    "ask the user for a secret without showing it": ("getpass", "getpass.unix_getpass", "getpass.win_getpass"),
    "open a page in Firefox": (
        "webbrowser.open",
        "webbrowser.open_new",
        "webbrowser.open_new_tab",
        "webbrowser.Mozilla",
    ),
    "split a long paragraph into lines": ("textwrap.wrap", "textwrap.fill", "textwrap.TextWrapper.wrap"),
    "strip the common leading whitespace": ("textwrap.dedent",),
    "the middle value of some numbers": ("statistics.median", "statistics.median_low", "statistics.median_high"),
    "how spread out are my measurements": (
        "statistics.stdev",
        "statistics.pstdev",
        "statistics.variance",
        "statistics.pvariance",
    ),
    "average of a list": ("statistics.mean", "statistics.fmean"),
    "unpack a compressed archive": (
        "zipfile.ZipFile.extractall",
        "shutil.unpack_archive",
        "tarfile.TarFile.extractall",
    ),
    "what is inside this archive": (
        "zipfile.ZipFile.namelist",
        "zipfile.ZipFile.printdir",
        "zipfile.ZipFile.infolist",
        "tarfile.TarFile.getnames",
        "tarfile.TarFile.getmembers",
        "tarfile.TarFile.list",
    ),
    "turn off the computer's proxy for some hosts": (
        "urllib.request.proxy_bypass",
        "urllib.request.proxy_bypass_environment",
    ),
    "download something from the internet": ("urllib.request.urlretrieve", "urllib.request.urlopen"),
    "deliver mail": ("smtplib.SMTP.sendmail", "smtplib.SMTP.send_message", "smtplib.SMTP"),
    "wipe a file from the server": ("ftplib.FTP.delete",),
    "make sure two numbers are nearly the same in a test": ("unittest.case.TestCase.assertAlmostEqual",),
    "clean up after each test": ("unittest.case.TestCase.tearDown", "unittest.case.TestCase.addCleanup"),
    "ignore a test for now": ("unittest.case.TestCase.skipTest", "unittest.case.skip", "unittest.case.skipIf"),
    "a unique identifier for each order": ("uuid.uuid4", "uuid.uuid1", "uuid"),
    "does this folder exist": ("genericpath.isdir", "genericpath.exists", "pathlib.Path.is_dir", "pathlib.Path.exists"),
    "keep a list ordered while adding to it": ("bisect.insort_right", "bisect.insort_left", "bisect"),
    "find all pictures whose name ends with png": ("fnmatch.filter", "glob.glob", "glob.iglob", "pathlib.Path.glob"),
    "see the instructions that the interpreter executes": ("dis.dis", "dis", "dis.disassemble", "dis.get_instructions"),
    "make XML nicely readable": ("xml.etree.ElementTree.indent",),
    "a scratch file that disappears by itself": (
        "tempfile.NamedTemporaryFile",
        "tempfile.TemporaryFile",
        "tempfile.SpooledTemporaryFile",
    ),
    "where do programs put throw-away data": ("tempfile.gettempdir", "tempfile._get_default_tempdir"),
    "guess the kind of a file from its ending": ("mimetypes.guess_type", "mimetypes.MimeTypes.guess_type"),
    "run another program and read what it says": ("subprocess.check_output", "subprocess.run", "subprocess.getoutput"),
    "print nested data so that people can read it": ("pprint.pprint", "pprint.pp", "pprint.pformat", "pprint"),
}
